import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'

import { Ago, Copyable, Facts } from '@/components/bits'
import { Button } from '@/components/Button'
import { Bones, Trouble } from '@/components/Fallbacks'
import { Page, Section } from '@/components/Page'
import { Pending } from '@/components/Pending'
import { shortId } from '@/lib/format'

import { networkQuery } from './api/network'
import { askRemove, refusal } from './remove'

export function NetworkPage() {
  const { id = '' } = useParams({ strict: false })
  const { data: network, error, isPending, refetch } = useQuery(networkQuery(id))
  const client = useQueryClient()
  const navigate = useNavigate()
  const crumbs = [{ label: t`Networks`, to: '/networks' }]
  if (!network) {
    return (
      <Page title={t`Network`} crumbs={crumbs}>
        {isPending ? <Bones /> : <Trouble error={error} title={t`The network could not be loaded`} retry={() => void refetch()} to="/networks" label={t`All networks`} />}
      </Page>
    )
  }
  async function remove(): Promise<void> {
    if (network && (await askRemove(client, network))) await navigate({ to: '/networks' })
  }
  const { containers } = network
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
          {containers.length === 0 ? (
            <p className="muted">
              <Trans>No container is connected.</Trans>
            </p>
          ) : (
            <ul>
              {containers.map((item) => (
                <li key={item.id}>
                  <Link className="link" to="/containers/$id" params={{ id: item.id }}>
                    {item.name}
                  </Link>{' '}
                  <span className="mono muted">{item.ipv4}</span>
                </li>
              ))}
            </ul>
          )}
        </Section>
      </div>
    </Page>
  )
}
