import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { Button, ButtonLink } from '@/components/Button'
import { AreaField, Check, Fold, Form, Problems, TextField } from '@/components/Form'
import { Page } from '@/components/Page'
import { type Pair, Pairs, record } from '@/components/Pairs'
import { useOrderForm } from '@/components/useOrderForm'
import { refOf, useFirstHost, useHostChoices } from '@/lib/hosts'
import { press } from '@/lib/orders'

import { buildImage } from './api/build'
import { firstOrder } from './api/pull'
import { HostsField } from './HostsField'

interface Draft {
  host: string
  dockerfile: string
  tag: string
  target: string
  args: Pair[]
  noCache: boolean
  pull: boolean
}

const EMPTY: Draft = { host: '', dockerfile: '', tag: '', target: '', args: [], noCache: false, pull: false }
const FIELDS: [string, string][] = [
  ['/hosts', 'f-host'],
  ['/dockerfile', 'f-dockerfile'],
  ['/tags', 'f-tag'],
  ['/target', 'f-target'],
]

export function BuildPage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { hosts } = useHostChoices()
  const form = useOrderForm(EMPTY, FIELDS, (draft) => [
    ...(draft.host ? [] : [{ id: 'f-host', words: t`Choose a host` }]),
    ...(draft.dockerfile.trim() ? [] : [{ id: 'f-dockerfile', words: t`Paste a Dockerfile` }]),
    ...(draft.tag.trim() ? [] : [{ id: 'f-tag', words: t`Name the image` }]),
  ])
  const { draft, set, errors } = form
  useFirstHost(draft.host, (host) => { set({ host }); })

  async function send(): Promise<void> {
    const host = hosts.find((item) => item.id === draft.host)
    if (!host) return
    const args = record(draft.args)
    const body = {
      hosts: [host.id],
      dockerfile_text: draft.dockerfile,
      tags: [draft.tag.trim()],
      ...(draft.target && { target: draft.target }),
      ...(Object.keys(args).length > 0 && { build_args: args }),
      ...(draft.noCache && { no_cache: true }),
      ...(draft.pull && { pull: true }),
    }
    await press(client, {
      op: 'image.build',
      target: { id: '', name: draft.tag },
      host: refOf(host),
      send: async (extra, key) => firstOrder(await buildImage({ ...body, ...extra }, key)),
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
          <AreaField id="f-dockerfile" label={t`Dockerfile`} rows={14} value={draft.dockerfile} error={errors['f-dockerfile']} hint={t`Built without a context of files; with one, build by the docker CLI on the host's socket.`} onChange={(dockerfile) => { set({ dockerfile }); }} />
        </div>
        <Fold title={t`Options`} summary={draft.target || t`target, build arguments, cache`}>
          <TextField id="f-target" label={t`Target`} mono value={draft.target} hint={t`The stage to build; empty: the last one.`} error={errors['f-target']} onChange={(target) => { set({ target }); }} />
          <Pairs prefix="f-args" pairs={draft.args} add={t`Add build argument`} onChange={(args) => { set({ args }); }} />
          <Check label={t`Do not use the cache`} checked={draft.noCache} onChange={(noCache) => { set({ noCache }); }} />
          <Check label={t`Pull base images anew`} checked={draft.pull} onChange={(pull) => { set({ pull }); }} />
        </Fold>
        <div className="form-foot">
          <span className="grow" />
          <ButtonLink to="/images">
            <Trans>Cancel</Trans>
          </ButtonLink>
          <Button type="submit" kind="primary" aria-busy={form.busy}>
            <Trans>Build</Trans>
          </Button>
        </div>
      </Form>
    </Page>
  )
}
