import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { Button, ButtonLink } from '@/components/Button'
import { Form, PickField, Problems, TextField } from '@/components/Form'
import { Page, Section } from '@/components/Page'
import { type Pair, Pairs, record } from '@/components/Pairs'
import { useOrderForm } from '@/components/useOrderForm'
import { refOf, useFirstHost, useHostChoices } from '@/lib/hosts'
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
    ...(draft.name && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(draft.name) ? [{ id: 'f-name', words: t`A name begins with a letter or digit and has only letters, digits, _ . and -` }] : []),
  ])
  const { draft, set, errors } = form
  useFirstHost(draft.host, (host) => { set({ host }); })

  async function send(): Promise<void> {
    const host = hosts.find((item) => item.id === draft.host)
    if (!host) return
    const driverOptions = record(draft.options)
    const labels = record(draft.labels)
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
            ...(Object.keys(driverOptions).length > 0 && { options: driverOptions }),
            ...(Object.keys(labels).length > 0 && { labels }),
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
        <div className="form-foot">
          <span className="grow" />
          <ButtonLink to="/volumes">
            <Trans>Cancel</Trans>
          </ButtonLink>
          <Button type="submit" kind="primary" aria-busy={form.busy}>
            <Trans>Create volume</Trans>
          </Button>
        </div>
      </Form>
    </Page>
  )
}
