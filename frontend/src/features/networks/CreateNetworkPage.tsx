import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { Check, Form, PickField, Problems, SelectField, TextField } from '@/components/Form'
import { FormFoot } from '@/components/FormFoot'
import { Page, Section } from '@/components/Page'
import { filled, type Pair, Pairs } from '@/components/Pairs'
import { useOrderForm } from '@/components/useOrderForm'
import { refOf, useFirstHost, useHostChoices } from '@/lib/hosts'
import { isName, nameWords } from '@/lib/names'
import { press } from '@/lib/orders'

import { createNetwork } from './api/create'

interface Draft {
  host: string
  name: string
  driver: string
  subnet: string
  gateway: string
  internal: boolean
  labels: Pair[]
}

const FIELDS: [string, string][] = [
  ['/host', 'f-host'],
  ['/name', 'f-name'],
  ['/driver', 'f-driver'],
  ['/subnets/0/gateway', 'f-gateway'],
  ['/subnets', 'f-subnet'],
  ['/gateway', 'f-gateway'],
  ['/labels', 'f-labels-0'],
]

/** A.B.C.D/n or an IPv6 network; the engine knows the rest. */
const isCidr = (text: string): boolean => /^(\d{1,3}(\.\d{1,3}){3}\/([12]?\d|3[0-2])|[0-9a-f:]+\/\d{1,3})$/i.test(text)

export function CreateNetworkPage() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { hosts, options } = useHostChoices()
  const form = useOrderForm<Draft>({ host: '', name: '', driver: 'bridge', subnet: '', gateway: '', internal: false, labels: [] }, FIELDS, (draft) => [
    ...(draft.host ? [] : [{ id: 'f-host', words: t`Choose a host` }]),
    ...(isName(draft.name) ? [] : [{ id: 'f-name', words: nameWords() }]),
    ...(draft.subnet && !isCidr(draft.subnet) ? [{ id: 'f-subnet', words: t`A subnet looks like 172.30.0.0/24` }] : []),
    ...(draft.gateway && !draft.subnet ? [{ id: 'f-gateway', words: t`A gateway needs a subnet` }] : []),
  ])
  const { draft, set, errors } = form
  useFirstHost(draft.host, (host) => { set({ host }); })

  async function send(): Promise<void> {
    const host = hosts.find((item) => item.id === draft.host)
    if (!host) return
    const subnets = draft.subnet ? { subnets: [{ subnet: draft.subnet, ...(draft.gateway && { gateway: draft.gateway }) }] } : {}
    await press(client, {
      op: 'network.create',
      target: { id: '', name: draft.name },
      host: refOf(host),
      send: (extra, key) => createNetwork({ host: host.id, name: draft.name, driver: draft.driver, ...subnets, ...(draft.internal && { internal: true }), ...filled('labels', draft.labels), ...extra }, key),
      onAccepted: (order) => void navigate(order.target.id ? { to: '/networks/$id', params: { id: order.target.id } } : { to: '/networks' }),
      onRefused: form.refuse,
    })
  }
  return (
    <Page title={t`Create network`} crumbs={[{ label: t`Networks`, to: '/networks' }]}>
      <Form label={t`Create network`} onSubmit={() => { form.submit(send); }}>
        <Problems items={form.problems} round={form.round} />
        <div className="fields">
          <PickField id="f-host" label={t`Host`} value={draft.host} options={options} placeholder={t`Choose a host`} error={errors['f-host']} onChange={(host) => { set({ host }); }} />
          <TextField id="f-name" label={t`Name`} mono value={draft.name} error={errors['f-name']} onChange={(name) => { set({ name }); }} />
          <SelectField id="f-driver" label={t`Driver`} value={draft.driver} options={[{ value: 'bridge', label: 'bridge' }]} onChange={(driver) => { set({ driver }); }} />
          <TextField id="f-subnet" label={t`Subnet`} mono value={draft.subnet} placeholder="172.30.0.0/24" error={errors['f-subnet']} hint={t`Empty: the engine chooses a free one.`} onChange={(subnet) => { set({ subnet }); }} />
          <TextField id="f-gateway" label={t`Gateway`} mono value={draft.gateway} placeholder="172.30.0.1" error={errors['f-gateway']} onChange={(gateway) => { set({ gateway }); }} />
          <Check label={t`Internal`} checked={draft.internal} onChange={(internal) => { set({ internal }); }} />
          <Section title={t`Labels`}>
            <Pairs prefix="f-labels" pairs={draft.labels} add={t`Add label`} onChange={(labels) => { set({ labels }); }} />
          </Section>
        </div>
        <FormFoot to="/networks" busy={form.busy} send={t`Create network`} />
      </Form>
    </Page>
  )
}
