/** Give an image one more name, or send it to the registry that one of its names says. */
import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { Dialog } from '@/components/Dialog'
import { DialogFoot } from '@/components/DialogFoot'
import { Problems, SelectField, TextField } from '@/components/Form'
import { useOrderForm } from '@/components/useOrderForm'
import { press } from '@/lib/orders'
import type { Image } from '@/lib/types'

import { nameImage } from './api/name'
import { firstOrder } from './api/pull'
import { nameOf } from './remove'

const ALL = ''
const FIELDS: [string, string][] = [
  ['/reference', 'f-reference'],
  ['/hosts', 'f-host'],
  ['/credential', 'f-user'],
]

export function NameDialog({ image, verb, onClose }: { image: Image; verb: 'tag' | 'push'; onClose: () => void }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const push = verb === 'push'
  const name = nameOf(image)
  const title = push ? t`Push ${name}` : t`Tag ${name}`
  const empty = { reference: push ? (image.references[0] ?? '') : '', host: push ? (image.hosts[0]?.id ?? '') : ALL, username: '', password: '' }
  const form = useOrderForm(empty, FIELDS, (draft) => (draft.reference.trim() ? [] : [{ id: 'f-reference', words: t`Name the image` }]))
  const { draft, set, errors } = form
  async function send(): Promise<void> {
    const chosen = image.hosts.filter((host) => draft.host === ALL || host.id === draft.host)
    const body = {
      hosts: chosen.map((host) => host.id),
      reference: draft.reference.trim(),
      ...(draft.username && { credential: { username: draft.username, password: draft.password } }),
    }
    await press(client, {
      op: `image.${verb}`,
      target: { id: image.id, name: body.reference },
      host: chosen.length === 1 && chosen[0] ? chosen[0] : null,
      send: async (extra, key) => firstOrder(await nameImage(image.id, verb, { ...body, ...extra }, key)),
      onAccepted: (order) => {
        onClose()
        if (push) void navigate({ to: '/orders/$id', params: { id: order.id } })
      },
      onRefused: form.refuse,
    })
  }
  const hosts = image.hosts.map((host) => ({ value: host.id, label: host.name }))
  return (
    <Dialog keep onClose={onClose} title={title}>
      <form noValidate onSubmit={(event) => { event.preventDefault(); form.submit(send) }}>
        <div className="dialog-body stack">
          <Problems items={form.problems} round={form.round} />
          {push ? (
            <SelectField id="f-reference" label={t`Name`} value={draft.reference} error={errors['f-reference']} options={image.references.map((value) => ({ value, label: value }))} hint={t`Its first part says which registry; tag it first where it has none.`} onChange={(reference) => { set({ reference }); }} />
          ) : (
            <TextField id="f-reference" label={t`New name`} mono value={draft.reference} placeholder="registry.example:5000/app:1.0" error={errors['f-reference']} data-autofocus onChange={(reference) => { set({ reference }); }} />
          )}
          <SelectField id="f-host" label={t`Host`} value={draft.host} error={errors['f-host']} options={push ? hosts : [{ value: ALL, label: t`Every host that has it` }, ...hosts]} onChange={(host) => { set({ host }); }} />
          {push && (
            <div className="two-fields">
              <TextField id="f-user" label={t`Registry user`} value={draft.username} error={errors['f-user']} onChange={(username) => { set({ username }); }} />
              <TextField label={t`Registry password`} type="password" value={draft.password} hint={t`For this push only; Longshore's own registry needs none.`} onChange={(password) => { set({ password }); }} />
            </div>
          )}
        </div>
        <DialogFoot onClose={onClose} busy={form.busy} send={push ? t`Push` : t`Tag`} />
      </form>
    </Dialog>
  )
}
