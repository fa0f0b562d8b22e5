import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'

import { ButtonLink } from '@/components/Button'
import { Icon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { Pending } from '@/components/Pending'
import { count } from '@/lib/format'
import { useRight } from '@/lib/rights'
import type { Network } from '@/lib/types'

import { askRemove, refusal } from './remove'

const subnetsOf = (network: Network): string => network.subnets.map((item) => item.subnet).join(', ')

export function NetworksPage() {
  const mayManage = useRight('networks.manage')
  const client = useQueryClient()
  const config = useMemo<ListConfig<Network>>(() => {
    const create = mayManage && (
      <ButtonLink kind="primary" small icon="plus" to="/networks/new">
        <Trans>Create network</Trans>
      </ButtonLink>
    )
    return {
      kind: 'networks',
      title: t`Networks`,
      counted: (n) => (n === 1 ? t`1 network` : t`${count(n)} networks`),
      searchLabel: t`Search networks`,
      searchHint: t`Name, subnet`,
      defaultOrder: 'name',
      byHost: true,
      filters: [{ name: 'driver', label: t`driver`, choices: ['bridge', 'host', 'null'].map((value) => ({ value, label: value })) }],
      columns: [
        { key: 'name', label: t`Name`, sort: 'name', cell: (network) => network.name },
        { key: 'driver', label: t`Driver`, width: '104px', rank: 1, cell: (network) => network.driver },
        { key: 'scope', label: t`Scope`, width: '88px', rank: 3, cell: (network) => network.scope },
        { key: 'host', label: t`Host`, sort: 'host', width: '136px', cell: (network) => network.host.name },
        { key: 'subnet', label: t`Subnet`, width: '168px', rank: 1, cell: (network) => <span className="mono">{subnetsOf(network)}</span> },
        { key: 'containers', label: t`Containers`, width: '104px', rank: 1, end: true, cell: (network) => network.containers.length },
      ],
      card: (network) => ({ lead: <Icon name="network" />, title: network.name, end: network.driver, sub: [network.host.name, subnetsOf(network)].filter(Boolean).join(' · ') }),
      to: (network) => `/networks/${network.id}`,
      beside: (network) => <Pending row={network} />,
      nameOf: (network) => network.name,
      stateOf: (network) => network.state,
      hostOf: (network) => network.host,
      menu: (network) => [[{ label: t`Remove`, icon: 'trash', danger: true, reason: refusal(network), onPick: () => void askRemove(client, network) }]],
      actions: create,
      empty: { title: t`No networks yet`, text: t`Networks of all your hosts will be listed here.`, action: create, cli: 'docker network create front' },
    }
  }, [mayManage, client])
  return <ListPage config={config} />
}
