import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { Form, PickField, Problems, TextField } from '@/components/Form'
import { FormFoot } from '@/components/FormFoot'
import { Page, Section } from '@/components/Page'
import { filled, type Pair, Pairs } from '@/components/Pairs'
import { useOrderForm } from '@/components/useOrderForm'
import { refOf, useFirstHost, useHostChoices } from '@/lib/hosts'
import { isName, nameWords } from '@/lib/names'
import { press } from '@/lib/orders'

import { createVolume } from './api/create'

interface Draft {
  host: string
  name: string
  driver: string
  options: Pair[]
  labels: Pair[]
}

const FIELDS: [string, string][] = [
  ['/host', 'f-host'],
  ['/name', 'f-name'],
  ['/driver', 'f-driver'],
  ['/options', 'f-options-0'],
  ['/labels', 'f-labels-0'],
]

export function CreateVolumePage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { hosts, options } = useHostChoices()
  const form = useOrderForm<Draft>({ host: '', name: '', driver: 'local', options: [], labels: [] }, FIELDS, (draft) => [
    ...(draft.host ? [] : [{ id: 'f-host', words: t`Choose a host` }]),
    ...(draft.name && !isName(draft.name) ? [{ id: 'f-name', words: nameWords() }] : []),
  ])
  const { draft, set, errors } = form
  useFirstHost(draft.host, (host) => { set({ host }); })

  async function send(): Promise<void> {
    const host = hosts.find((item) => item.id === draft.host)
    if (!host) return
    await press(client, {
      op: 'volume.create',
      target: { id: '', name: draft.name },
      host: refOf(host),
      send: (extra, key) =>
        createVolume(
          {
            host: host.id,
            driver: draft.driver,
            ...(draft.name && { name: draft.name }),
            ...filled('options', draft.options),
            ...filled('labels', draft.labels),
            ...extra,
          },
          key,
        ),
      onAccepted: (order) => void navigate(order.target.id ? { to: '/volumes/$id', params: { id: order.target.id } } : { to: '/volumes' }),
      onRefused: form.refuse,
    })
  }
  return (
    <Page title={t`Create volume`} crumbs={[{ label: t`Volumes`, to: '/volumes' }]}>
      <Form label={t`Create volume`} onSubmit={() => { form.submit(send); }}>
        <Problems items={form.problems} round={form.round} />
        <div className="fields">
          <PickField id="f-host" label={t`Host`} value={draft.host} options={options} placeholder={t`Choose a host`} error={errors['f-host']} onChange={(host) => { set({ host }); }} />
          <TextField id="f-name" label={t`Name`} mono value={draft.name} error={errors['f-name']} hint={t`Empty: a random one.`} onChange={(name) => { set({ name }); }} />
          <TextField id="f-driver" label={t`Driver`} mono value={draft.driver} error={errors['f-driver']} onChange={(driver) => { set({ driver }); }} />
          <Section title={t`Driver options`}>
            <Pairs prefix="f-options" pairs={draft.options} add={t`Add option`} onChange={(next) => { set({ options: next }); }} />
          </Section>
          <Section title={t`Labels`}>
            <Pairs prefix="f-labels" pairs={draft.labels} add={t`Add label`} onChange={(labels) => { set({ labels }); }} />
          </Section>
        </div>
        <FormFoot to="/volumes" busy={form.busy} send={t`Create volume`} />
      </Form>
    </Page>
  )
}
