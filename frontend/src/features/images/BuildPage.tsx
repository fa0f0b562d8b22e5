import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { AreaField, Check, Field, Fold, Form, Problems, TextField } from '@/components/Form'
import { FormFoot } from '@/components/FormFoot'
import { Page } from '@/components/Page'
import { filled, type Pair, Pairs } from '@/components/Pairs'
import { useOrderForm } from '@/components/useOrderForm'
import { refOf, useFirstHost, useHostChoices } from '@/lib/hosts'
import { press } from '@/lib/orders'

import { buildImage } from './api/build'
import { firstOrder } from './api/pull'
import { HostsField } from './HostsField'

interface Draft {
  host: string
  context: File | null
  dockerfile: string
  path: string
  tag: string
  target: string
  args: Pair[]
  noCache: boolean
  pull: boolean
}

const EMPTY: Draft = { host: '', context: null, dockerfile: '', path: '', tag: '', target: '', args: [], noCache: false, pull: false }
const FIELDS: [string, string][] = [
  ['/hosts', 'f-host'],
  ['/dockerfile_text', 'f-dockerfile'],
  ['/dockerfile', 'f-path'],
  ['/context', 'f-context'],
  ['/tags', 'f-tag'],
  ['/target', 'f-target'],
]

export function BuildPage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { hosts } = useHostChoices()
  const form = useOrderForm(EMPTY, FIELDS, (draft) => [
    ...(draft.host ? [] : [{ id: 'f-host', words: t`Choose a host` }]),
    ...(draft.dockerfile.trim() || draft.context ? [] : [{ id: 'f-dockerfile', words: t`Paste a Dockerfile, or choose an archive that has one` }]),
    ...(draft.tag.trim() ? [] : [{ id: 'f-tag', words: t`Name the image` }]),
  ])
  const { draft, set, errors } = form
  useFirstHost(draft.host, (host) => { set({ host }); })

  async function send(): Promise<void> {
    const host = hosts.find((item) => item.id === draft.host)
    if (!host) return
    const body = {
      hosts: [host.id],
      ...(draft.context ? draft.path && { dockerfile: draft.path } : { dockerfile_text: draft.dockerfile }),
      tags: [draft.tag.trim()],
      ...(draft.target && { target: draft.target }),
      ...filled('build_args', draft.args),
      ...(draft.noCache && { no_cache: true }),
      ...(draft.pull && { pull: true }),
    }
    await press(client, {
      op: 'image.build',
      target: { id: '', name: draft.tag },
      host: refOf(host),
      send: async (extra, key) => firstOrder(await buildImage({ ...body, ...extra }, draft.context, key)),
      onAccepted: (order) => void navigate({ to: '/orders/$id', params: { id: order.id } }),
      onRefused: form.refuse,
    })
  }
  return (
    <Page title={t`Build image`} crumbs={[{ label: t`Images`, to: '/images' }]}>
      <Form label={t`Build image`} onSubmit={() => { form.submit(send); }}>
        <Problems items={form.problems} round={form.round} />
        <div className="fields">
          <HostsField value={draft.host} error={errors['f-host']} onChange={(host) => { set({ host }); }} />
          <TextField id="f-tag" label={t`Tag`} mono value={draft.tag} placeholder="shop/web:1.0" error={errors['f-tag']} onChange={(tag) => { set({ tag }); }} />
          {!draft.context && <AreaField id="f-dockerfile" label={t`Dockerfile`} rows={14} value={draft.dockerfile} error={errors['f-dockerfile']} onChange={(dockerfile) => { set({ dockerfile }); }} />}
          <Field id="f-context" label={t`Context`} error={errors['f-context']} hint={t`Optional: a tar archive with the Dockerfile and the files that COPY and ADD take; then nothing is pasted.`}>
            {(wiring) => <input {...wiring} type="file" className="input file" accept=".tar,.tar.gz,.tgz,.tar.zst" onChange={(event) => { set({ context: event.target.files?.[0] ?? null }); }} />}
          </Field>
        </div>
        <Fold title={t`Options`} summary={draft.target || t`target, build arguments, cache`}>
          {draft.context && <TextField id="f-path" label={t`Path of the Dockerfile`} mono value={draft.path} hint={t`In the archive; empty: Dockerfile.`} error={errors['f-path']} onChange={(path) => { set({ path }); }} />}
          <TextField id="f-target" label={t`Target`} mono value={draft.target} hint={t`The stage to build; empty: the last one.`} error={errors['f-target']} onChange={(target) => { set({ target }); }} />
          <Pairs prefix="f-args" pairs={draft.args} add={t`Add build argument`} onChange={(args) => { set({ args }); }} />
          <Check label={t`Do not use the cache`} checked={draft.noCache} onChange={(noCache) => { set({ noCache }); }} />
          <Check label={t`Pull base images anew`} checked={draft.pull} onChange={(pull) => { set({ pull }); }} />
        </Fold>
        <FormFoot to="/images" busy={form.busy} send={t`Build`} />
      </Form>
    </Page>
  )
}
