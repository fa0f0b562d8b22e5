import './create.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'

import { CopyButton } from '@/components/bits'
import { Button, ButtonLink } from '@/components/Button'
import { Check, ComboField, Form, type FormProblem, PickField, Problems, TextField } from '@/components/Form'
import { Icon } from '@/components/Icon'
import { Page } from '@/components/Page'
import { Problem } from '@/lib/api'
import { useHostFilter } from '@/lib/hostfilter'
import { useHostChoices } from '@/lib/hosts'
import { useList } from '@/lib/lists'
import { press } from '@/lib/orders'
import { wordsOf } from '@/lib/problems'
import type { Container, Image } from '@/lib/types'

import { createContainer } from '../api/create'
import { dockerRun } from './dockerRun'
import { type Draft, dropDraft, loadDraft, saveDraft } from './model'
import { fieldOf } from './pointers'
import { Sections } from './Sections'
import { problemsOf, toSpec } from './spec'
import { shellWords } from './words'

export function CreatePage() {
  const [draft, setDraft] = useState(loadDraft)
  const [asked, setAsked] = useState(false)
  const [round, setRound] = useState(0)
  const [refused, setRefused] = useState<FormProblem[]>([])
  const [busy, setBusy] = useState(false)
  const client = useQueryClient()
  const navigate = useNavigate()
  const { hosts, options } = useHostChoices()
  const filtered = useHostFilter()
  const host = hosts.find((item) => item.id === draft.host)

  // Where nothing was chosen: the filtered host, else the only one.
  const first = filtered.length === 1 ? hosts.find((item) => item.name === filtered[0]) : hosts.length === 1 ? hosts[0] : undefined
  useEffect(() => {
    if (first) setDraft((before) => (before.host ? before : { ...before, host: first.id }))
  }, [first])
  useEffect(() => { saveDraft(draft); }, [draft])

  const set = (change: Partial<Draft>): void => {
    setDraft((before) => ({ ...before, ...change }))
    setRefused([])
  }
  const own = useMemo(() => problemsOf(draft), [draft])
  const problems = asked ? [...own, ...refused] : refused
  const errors = Object.fromEntries(problems.map((item) => [item.id, item.words]))

  async function submit(): Promise<void> {
    setAsked(true)
    setRound((before) => before + 1)
    if (own.length > 0 || busy || !host) return
    setBusy(true)
    await press(client, {
      op: 'container.create',
      target: { id: '', name: draft.name || draft.image },
      host: { id: host.id, name: host.name, online: host.state === 'online' },
      send: (extra, key) => createContainer({ host: host.id, image: draft.image.trim(), pull: draft.pull, start: draft.start, ...(draft.name && { name: draft.name }), spec: toSpec(draft), ...extra }, key),
      onAccepted: (order) => {
        dropDraft()
        void navigate(order.target.id && order.target.type === 'container' ? { to: '/containers/$id', params: { id: order.target.id } } : { to: '/orders/$id', params: { id: order.id } })
      },
      onRefused: (error) => {
        const items = error instanceof Problem ? (error.body.errors ?? []).map((item) => ({ id: fieldOf(item.pointer, draft), words: item.detail })) : []
        setRefused(items.length > 0 ? items : [{ id: '', words: wordsOf(error) }])
        setRound((before) => before + 1)
      },
    })
    setBusy(false)
  }
  const command = shellWords(draft.command).words
  return (
    <Page title={t`Create container`} crumbs={[{ label: t`Containers`, to: '/containers' }]} className="create-page">
      <div className="create">
        <Form label={t`Create container`} onSubmit={() => void submit()}>
          <Problems items={problems} round={round} />
          <div className="fields">
            <PickField id="f-host" label={t`Host`} value={draft.host} options={options} placeholder={t`Choose a host`} error={errors['f-host']} hint={host && host.state !== 'online' ? t`It is offline: the order will wait for it.` : undefined} onChange={(value) => { set({ host: value }); }} />
            <ImageField draft={draft} set={set} error={errors['f-image']} />
            <NameField draft={draft} set={set} error={errors['f-name']} hostName={host?.name} />
            <TextField id="f-command" label={t`Command`} mono value={draft.command} error={errors['f-command']} hint={command.length > 0 ? JSON.stringify(command) : t`Empty: the image’s own command.`} onChange={(value) => { set({ command: value }); }} />
          </div>
          <Sections draft={draft} set={set} errors={errors} hostName={host?.name} />
          <div className="form-foot">
            <Check label={t`Start after creating`} checked={draft.start} onChange={(start) => { set({ start }); }} />
            <span className="grow" />
            <span className="meta draft-note">
              <Trans>Draft kept on this device, without secrets</Trans>
            </span>
            <ButtonLink to="/containers">
              <Trans>Cancel</Trans>
            </ButtonLink>
            <Button type="submit" kind="primary" aria-busy={busy} aria-keyshortcuts="Control+Enter">
              <Trans>Create container</Trans>
            </Button>
          </div>
        </Form>
        <Preview draft={draft} hostName={host?.name} />
      </div>
    </Page>
  )
}

interface FieldProps {
  draft: Draft
  set: (change: Partial<Draft>) => void
  error: string | undefined
}

function ImageField({ draft, set, error }: FieldProps) {
  const { rows } = useList<Image>('images', { order: '-created_at' }, { pageSize: 100 })
  const known = useMemo(() => [...new Set(rows.flatMap((image) => image.references))].sort(), [rows])
  return <ComboField id="f-image" label={t`Image`} value={draft.image} suggestions={known} error={error} hint={draft.pull === 'always' ? t`Pulled anew each time.` : draft.pull === 'never' ? t`Never pulled: it must be on the host.` : t`Pulled only if it is missing on the host.`} onChange={(image) => { set({ image }); }} />
}

/** A name that is taken is known while typing; the engine decides. */
function NameField({ draft, set, error, hostName }: FieldProps & { hostName: string | undefined }) {
  const { rows } = useList<Container>('containers', { name: draft.name, host: hostName ?? '' }, { pageSize: 5, enabled: draft.name.length > 1 && hostName !== undefined })
  const taken = draft.name.length > 1 ? rows.find((row) => row.name === draft.name && row.host.name === hostName) : undefined
  return <TextField id="f-name" label={t`Name`} mono value={draft.name} error={error} warning={taken ? t`Taken by ${taken.name}, ${taken.state}, on ${taken.host.name}. Choose another name.` : undefined} hint={t`Empty: the engine chooses one.`} onChange={(name) => { set({ name }); }} />
}

function Preview({ draft, hostName }: { draft: Draft; hostName: string | undefined }) {
  const [json, setJson] = useState(false)
  const text = json ? JSON.stringify(toSpec(masked(draft)), null, 2) : dockerRun(draft)
  const where = hostName ?? t`the host`
  return (
    <aside className="preview" aria-label={t`Preview`}>
      <div className="section-head">
        <span className="group" role="group" aria-label={t`Show as`}>
          <Button small aria-pressed={!json} onClick={() => { setJson(false); }}>
            docker run
          </Button>
          <Button small aria-pressed={json} onClick={() => { setJson(true); }}>
            JSON
          </Button>
        </span>
        <span className="grow" />
        <CopyButton text={text} label={t`Copy preview`} />
      </div>
      <pre className="code" tabIndex={0} aria-label={json ? 'JSON' : 'docker run'}>
        {text}
      </pre>
      <h2>
        <Trans>What will happen</Trans>
      </h2>
      <ol className="plan">
        {draft.pull !== 'never' && <li>{draft.pull === 'always' ? t`Pull ${draft.image || t`the image`} on ${where}` : t`Pull ${draft.image || t`the image`} if it is missing on ${where}`}</li>}
        <li>{t`Create ${draft.name || t`the container`} on ${where}`}</li>
        {draft.start && <li>{t`Start it`}</li>}
      </ol>
      {draft.privileged && (
        <p className="row bad">
          <Icon name="alert" />
          <Trans>Privileged: it can do to the host whatever root can.</Trans>
        </p>
      )}
    </aside>
  )
}

const masked = (draft: Draft): Draft => ({ ...draft, env: draft.env.map((row) => (row.secret ? { ...row, value: '••••••' } : row)) })
