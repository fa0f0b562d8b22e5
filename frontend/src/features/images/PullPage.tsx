import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { Fold, Form, Problems, TextField } from '@/components/Form'
import { FormFoot } from '@/components/FormFoot'
import { Page } from '@/components/Page'
import { useOrderForm } from '@/components/useOrderForm'
import { refOf, useFirstHost, useHostChoices } from '@/lib/hosts'
import { press } from '@/lib/orders'

import { firstOrder, pullImage } from './api/pull'
import { ALL, HostsField } from './HostsField'

const EMPTY = { host: '', reference: '', platform: '', username: '', password: '' }
const FIELDS: [string, string][] = [
  ['/hosts', 'f-host'],
  ['/reference', 'f-image'],
  ['/platform', 'f-platform'],
  ['/credential', 'f-user'],
]

export function PullPage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { hosts } = useHostChoices()
  const form = useOrderForm(EMPTY, FIELDS, (draft) => [
    ...(draft.reference.trim() ? [] : [{ id: 'f-image', words: t`Name an image` }]),
    ...(draft.host ? [] : [{ id: 'f-host', words: t`Choose a host` }]),
  ])
  const { draft, set, errors } = form
  useFirstHost(draft.host, (host) => { set({ host }); })

  async function send(): Promise<void> {
    const chosen = draft.host === ALL ? hosts.filter((host) => host.state === 'online') : hosts.filter((host) => host.id === draft.host)
    const credential = draft.username ? { credential: { username: draft.username, password: draft.password } } : {}
    const body = { hosts: chosen.map((host) => host.id), reference: draft.reference.trim(), ...(draft.platform && { platform: draft.platform }), ...credential }
    await press(client, {
      op: 'image.pull',
      target: { id: '', name: body.reference },
      host: chosen.length === 1 && chosen[0] ? refOf(chosen[0]) : null,
      send: async (extra, key) => firstOrder(await pullImage({ ...body, ...extra }, key)),
      onAccepted: (order) => void navigate(chosen.length > 1 ? { to: '/orders' } : { to: '/orders/$id', params: { id: order.id } }),
      onRefused: form.refuse,
    })
  }
  return (
    <Page title={t`Pull image`} crumbs={[{ label: t`Images`, to: '/images' }]}>
      <Form label={t`Pull image`} onSubmit={() => { form.submit(send); }}>
        <Problems items={form.problems} round={form.round} />
        <div className="fields">
          <TextField id="f-image" label={t`Image`} mono value={draft.reference} placeholder="nginx:1.27" error={errors['f-image']} hint={t`A name without a registry is looked up at Docker Hub.`} onChange={(reference) => { set({ reference }); }} />
          <HostsField value={draft.host} all error={errors['f-host']} onChange={(host) => { set({ host }); }} />
        </div>
        <Fold title={t`Options`} summary={draft.platform || t`platform, credential`}>
          <TextField id="f-platform" label={t`Platform`} mono value={draft.platform} placeholder="linux/amd64" error={errors['f-platform']} onChange={(platform) => { set({ platform }); }} />
          <div className="two-fields">
            <TextField id="f-user" label={t`Registry user`} value={draft.username} error={errors['f-user']} onChange={(username) => { set({ username }); }} />
            <TextField label={t`Registry password`} type="password" value={draft.password} hint={t`For this pull only; it is not stored.`} onChange={(password) => { set({ password }); }} />
          </div>
        </Fold>
        <FormFoot to="/images" busy={form.busy} send={t`Pull image`} />
      </Form>
    </Page>
  )
}
