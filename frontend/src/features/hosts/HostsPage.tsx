import './hosts.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Outlet, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago, Meter } from '@/components/bits'
import { ButtonLink } from '@/components/Button'
import { StateIcon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { HostState } from '@/components/StateChip'
import { count, percent } from '@/lib/format'
import { useRight } from '@/lib/rights'
import type { Host } from '@/lib/types'
import { hostLook } from '@/lib/words'

import { agentOf, cpuUse, diskUse, engineOf, memoryUse, runningOf, sizeOf } from './facts'

const STATES = ['online', 'stale', 'offline', 'pending', 'revoked']

export function HostsPage() {
  const mayEnrol = useRight('hosts.enrol')
  const navigate = useNavigate()
  const config = useMemo<ListConfig<Host>>(() => {
    const add = mayEnrol && (
      <ButtonLink kind="primary" small icon="plus" to="/hosts/new">
        <Trans>Add host</Trans>
      </ButtonLink>
    )
    return {
      kind: 'hosts',
      title: t`Hosts`,
      counted: (n) => (n === 1 ? t`1 host` : t`${count(n)} hosts`),
      searchLabel: t`Search hosts`,
      searchHint: t`Name, label, address`,
      defaultOrder: 'attention,name',
      filters: [{ name: 'state', label: t`state`, choices: STATES.map((value) => ({ value, label: hostLook(value).words })) }],
      columns: [
        { key: 'name', label: t`Name`, sort: 'name', cell: (host) => host.name },
        { key: 'state', label: t`State`, sort: 'attention', width: '200px', cell: (host) => <HostState host={host} /> },
        { key: 'running', label: t`Running`, width: '88px', rank: 1, cell: (host) => runningOf(host) },
        { key: 'cpu', label: t`CPU`, width: '104px', rank: 1, cell: (host) => <Use value={host.state === 'online' ? cpuUse(host) : undefined} /> },
        { key: 'memory', label: t`Memory`, width: '104px', rank: 1, cell: (host) => <Use value={host.state === 'online' ? memoryUse(host) : undefined} /> },
        { key: 'disk', label: t`Disk`, width: '104px', rank: 1, cell: (host) => <Use value={diskUse(host)} /> },
        { key: 'engine', label: t`Engine`, width: '184px', rank: 2, cell: engineOf },
        { key: 'agent', label: t`Agent`, width: '96px', rank: 2, cell: agentOf },
        { key: 'size', label: t`Size`, width: '148px', rank: 3, cell: (host) => <span className="muted">{sizeOf(host)}</span> },
      ],
      card: (host) => ({
        lead: <StateIcon icon={hostLook(host.state).icon} tone={hostLook(host.state).tone} />,
        title: host.name,
        end: <HostState host={host} />,
        sub: [runningOf(host), engineOf(host)].filter(Boolean).join(' · '),
        subEnd: <Ago at={host.last_seen_at} />,
      }),
      to: (host) => `/hosts/${host.id}`,
      nameOf: (host) => host.name,
      stateOf: (host) => host.state,
      menu: (host) => [
        [
          { label: t`Open`, icon: 'host', onPick: () => void navigate({ to: '/hosts/$id', params: { id: host.id } }) },
          { label: t`Containers`, icon: 'container', onPick: () => void navigate({ to: '/containers', search: { host: host.name } }) },
        ],
      ],
      actions: add,
      empty: { title: t`No hosts yet`, text: t`A host joins by one line that you paste on it.`, action: add },
    }
  }, [mayEnrol, navigate])
  return (
    <>
      <ListPage config={config} />
      <Outlet />
    </>
  )
}

function Use({ value }: { value: number | null | undefined }) {
  if (value == null) return <span className="muted">–</span>
  return (
    <span className="with-bar">
      <Meter value={value} />
      <span className={value >= 95 ? 'bad strong' : value >= 85 ? 'warn strong' : ''}>{percent(value, 0)}</span>
    </span>
  )
}
