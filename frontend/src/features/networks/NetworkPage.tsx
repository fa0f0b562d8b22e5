import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'

import { Ago, Copyable, Facts } from '@/components/bits'
import { Button } from '@/components/Button'
import { Containers } from '@/components/Containers'
import { Page, Section } from '@/components/Page'
import { Pending } from '@/components/Pending'
import { type Crumb, Unloaded } from '@/components/Unloaded'
import { shortId } from '@/lib/format'

import { networkQuery } from './api/network'
import { askRemove, refusal } from './remove'

export function NetworkPage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(networkQuery(id))
  const network = query.data
  const client = useQueryClient()
  const navigate = useNavigate()
  const crumbs: [Crumb] = [{ label: t`Networks`, to: '/networks' }]
  if (!network) return <Unloaded title={t`Network`} crumbs={crumbs} query={query} failed={t`The network could not be loaded`} back={t`All networks`} />
  async function remove(): Promise<void> {
    if (network && (await askRemove(client, network))) await navigate({ to: '/networks' })
  }
  return (
    <Page
      title={network.name}
      focusKey={network.id}
      crumbs={crumbs}
      beside={<Pending row={network} />}
      actions={
        <Button small kind="danger-text" icon="trash" reason={refusal(network)} onClick={() => void remove()}>
          <Trans>Remove</Trans>
        </Button>
      }
    >
      <div className="sections">
        <Section title={t`About`}>
          <Facts
            rows={[
              [t`Host`, <Link key="h" className="link" to="/hosts/$id" params={{ id: network.host.id }}>{network.host.name}</Link>],
              [t`Driver`, network.driver],
              [t`Subnets`, <span key="s" className="mono">{network.subnets.map((item) => (item.gateway ? t`${item.subnet}, gateway ${item.gateway}` : item.subnet)).join('; ') || '–'}</span>],
              [t`Internal`, network.internal ? t`yes` : t`no`],
              [t`Id`, network.engine_id ? <Copyable key="i" text={network.engine_id} shown={shortId(network.engine_id)} label={t`Copy id`} /> : '–'],
              [t`Created`, <Ago key="c" at={network.created_at} />],
            ]}
          />
        </Section>
        <Section title={t`Containers`}>
          <Containers items={network.containers.map((item) => ({ ...item, note: item.ipv4 }))} none={t`No container is connected.`} />
        </Section>
      </div>
    </Page>
  )
}
