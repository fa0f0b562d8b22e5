import './hosts.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useState } from 'react'

import { CopyButton } from '@/components/bits'
import { Button } from '@/components/Button'
import { Dialog } from '@/components/Dialog'
import { DialogFoot } from '@/components/DialogFoot'
import { type FormProblem, Problems, TextField } from '@/components/Form'
import { StateIcon } from '@/components/Icon'
import { useTitle } from '@/components/Page'
import { Problem } from '@/lib/api'
import { serverNow } from '@/lib/clock'
import { clock } from '@/lib/format'
import { hostNameWords, isHostName } from '@/lib/names'
import { wordsOf } from '@/lib/problems'
import type { Check, HostDetail } from '@/lib/types'

import { createEnrolment, type Enrolment } from './api/enrolment'
import { hostQuery } from './api/host'
import { agentOf, engineOf, fact } from './facts'

/** Drawn over the list: one name, one line to paste, and what comes of it as it comes. */
export function AddHostDialog() {
  const navigate = useNavigate()
  const [made, setMade] = useState<{ enrolment: Enrolment; name: string } | null>(null)
  useTitle(t`Add host`)
  const close = (): void => void navigate({ to: '/hosts' })
  return (
    <Dialog level={1} keep onClose={close} title={t`Add host`}>
      {made ? <Progress enrolment={made.enrolment} name={made.name} onClose={close} /> : <Ask onMade={(enrolment, name) => { setMade({ enrolment, name }); }} onClose={close} />}
    </Dialog>
  )
}

function Ask({ onMade, onClose }: { onMade: (enrolment: Enrolment, name: string) => void; onClose: () => void }) {
  const [name, setName] = useState('')
  const [labels, setLabels] = useState('')
  const [problems, setProblems] = useState<FormProblem[]>([])
  const [round, setRound] = useState(0)
  const [busy, setBusy] = useState(false)
  async function submit(): Promise<void> {
    const found: FormProblem[] = []
    if (!isHostName(name)) found.push({ id: 'f-name', words: hostNameWords() })
    setProblems(found)
    setRound(round + 1)
    if (found.length > 0 || busy) return
    setBusy(true)
    try {
      onMade(await createEnrolment(name, parseLabels(labels)), name)
    } catch (error) {
      const items = error instanceof Problem ? (error.body.errors ?? []).map((item) => ({ id: item.pointer.startsWith('/labels') ? 'f-labels' : 'f-name', words: item.detail })) : []
      setProblems(items.length > 0 ? items : [{ id: 'f-name', words: wordsOf(error) }])
    } finally {
      setBusy(false)
    }
  }
  const errors = Object.fromEntries(problems.map((item) => [item.id, item.words]))
  return (
    <form noValidate onSubmit={(event) => { event.preventDefault(); void submit() }}>
      <div className="dialog-body stack">
        <Problems items={problems} round={round} />
        <TextField id="f-name" label={t`Name`} mono value={name} error={errors['f-name']} data-autofocus hint={t`As it will be called here, as web-1.`} onChange={setName} />
        <TextField id="f-labels" label={t`Labels`} mono value={labels} error={errors['f-labels']} placeholder="zone=a, disk=ssd" hint={t`Optional: key=value, separated by commas.`} onChange={setLabels} />
      </div>
      <DialogFoot onClose={onClose} busy={busy} send={t`Create join command`} />
    </form>
  )
}

export function parseLabels(text: string): Record<string, string> {
  const pairs = text.split(',').map((item) => item.trim()).filter(Boolean)
  return Object.fromEntries(pairs.map((pair) => {
    const at = pair.indexOf('=')
    return at < 0 ? [pair, ''] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
  }))
}

function Progress({ enrolment, name, onClose }: { enrolment: Enrolment; name: string; onClose: () => void }) {
  // Told by the socket as it changes; asked for as well, as this is the page that one waits before.
  const { data: host } = useQuery({ ...hostQuery(enrolment.host.id), refetchInterval: (query) => (query.state.data?.state === 'online' ? false : 2000) })
  const connected = host?.state === 'online'
  const navigate = useNavigate()
  const left = useCountdown(enrolment.expires_at)
  useEffect(() => {
    if (!connected) return undefined
    const timer = setTimeout(() => void navigate({ to: '/hosts/$id', params: { id: enrolment.host.id } }), 4000)
    return () => { clearTimeout(timer); }
  }, [connected, enrolment.host.id, navigate])
  return (
    <>
      <div className="dialog-body stack">
        <div className="field">
          <label htmlFor="f-join">
            <Trans>Join command</Trans>
          </label>
          <div className="command">
            <textarea id="f-join" className="input" readOnly rows={4} value={enrolment.command} />
            <CopyButton text={enrolment.command} label={t`Copy join command`} words={t`Copy join command`} />
          </div>
          <p className="hint">{left > 0 ? t`Paste it on the new host. Works once, for another ${minutes(left)}.` : t`Its time is over: create another one.`}</p>
        </div>
        <ol className="panel checklist" aria-label={t`Enrolment progress`}>
          <Step done={Boolean(host?.enrolled_at)} title={t`Token spent`} text={host?.enrolled_at ? [host.address, fact(host, 'os')].filter(Boolean).join(', ') : t`waiting for the pasted line`} at={host?.enrolled_at} />
          <Step done={connected} title={t`Agent connected`} text={connected ? t`agent ${agentOf(host)}, key pinned` : t`waiting for its connection`} at={host?.connected_at} />
          <Step done={connected && host.engine.running !== false} title={t`Engine found`} text={connected ? engineOf(host) : ''} />
          {failedChecks(host).map((check) => <FailedCheck key={check.name} check={check} />)}
        </ol>
        <span role="status" className={connected ? 'strong' : 'unseen'}>
          {connected ? t`Host connected` : ''}
        </span>
      </div>
      <div className="dialog-foot">
        <span className="meta grow">
          <Trans>This page turns into {name} by itself.</Trans>
        </span>
        <Button onClick={onClose}>
          <Trans>Close</Trans>
        </Button>
      </div>
    </>
  )
}

function Step({ done, title, text, at }: { done: boolean; title: string; text: string; at?: string | null | undefined }) {
  return (
    <li className={done ? 'done' : 'wait'}>
      <StateIcon icon={done ? 's-healthy' : 's-created'} tone={done ? 'ok' : 'muted'} label={done ? t`Done` : t`Waiting`} />
      <span>
        <span className="strong">{title}</span>
        <span className="meta">{text}</span>
      </span>
      <span className="meta">{done && at ? clock(at) : ''}</span>
    </li>
  )
}

export const failedChecks = (host: HostDetail | undefined): Check[] => ((host?.checks ?? []) as unknown as Check[]).filter((check) => !check.ok)

export function FailedCheck({ check }: { check: Check }) {
  return (
    <li>
      <StateIcon icon="s-exited" tone="bad" label={t`Failed`} />
      <span>
        <span className="bad strong">{check.name}</span>
        <span className="meta">{[check.detail, check.cure && t`Cure: ${check.cure}`].filter(Boolean).join(' ')}</span>
      </span>
    </li>
  )
}

const minutes = (seconds: number): string => `${String(Math.floor(seconds / 60))}:${String(seconds % 60).padStart(2, '0')}`

function useCountdown(until: string): number {
  const left = (): number => Math.max(0, Math.floor((Date.parse(until) - serverNow()) / 1000))
  const [seconds, setSeconds] = useState(left)
  useEffect(() => {
    const timer = setInterval(() => { setSeconds(left()); }, 1000)
    return () => { clearInterval(timer); }
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [until])
  return seconds
}
