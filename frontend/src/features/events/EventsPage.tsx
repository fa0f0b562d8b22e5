import { t } from '@lingui/core/macro'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { Icon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { clock, count, shortId } from '@/lib/format'
import type { EngineEvent } from '@/lib/types'

const KINDS = ['container', 'image', 'volume', 'network', 'daemon', 'agent']
const PAGES: Record<string, string> = { container: '/containers', volume: '/volumes', network: '/networks', host: '/hosts' }

const objectOf = (event: EngineEvent): string => event.object?.name || shortId(event.object?.engine_id ?? '') || event.kind
const pageOf = (event: EngineEvent): string | undefined => (event.object?.id && PAGES[event.kind] ? `${PAGES[event.kind] ?? ''}/${event.object.id}` : undefined)

/** The words of an event that a person can use: an exit code, a signal, a health. */
function detailOf(event: EngineEvent): string {
  const { exitCode, signal, image } = event.attributes ?? {}
  return [exitCode !== undefined && t`exit ${exitCode}`, signal !== undefined && t`signal ${signal}`, image].filter(Boolean).join(', ')
}

export function EventsPage() {
  const config = useMemo<ListConfig<EngineEvent>>(
    () => ({
      kind: 'events',
      title: t`Events`,
      counted: (n) => (n === 1 ? t`1 event` : t`${count(n)} events`),
      searchLabel: t`Search events`,
      searchHint: t`Object, action`,
      defaultOrder: '-at',
      byHost: true,
      filters: [{ name: 'kind', label: t`kind`, choices: KINDS.map((value) => ({ value, label: value })) }],
      columns: [
        { key: 'at', label: t`Time`, sort: 'at', width: '112px', cell: (event) => <time dateTime={event.at}>{clock(event.at)}</time> },
        { key: 'action', label: t`Event`, width: '20%', cell: (event) => `${event.kind} ${event.action}` },
        {
          key: 'object',
          label: t`Object`,
          cell: (event) => {
            const to = pageOf(event)
            return to ? <Link to={to}>{objectOf(event)}</Link> : objectOf(event)
          },
        },
        { key: 'detail', label: t`Detail`, width: '24%', rank: 1, cell: (event) => <span className="muted">{detailOf(event)}</span> },
        { key: 'host', label: t`Host`, width: '136px', rank: 1, cell: (event) => event.host?.name ?? '' },
      ],
      card: (event) => ({ lead: <Icon name="event" />, title: `${event.kind} ${event.action}`, end: <Ago at={event.at} />, sub: [objectOf(event), event.host?.name].filter(Boolean).join(' · ') }),
      nameOf: (event) => `${event.action} ${objectOf(event)}`,
      stateOf: (event) => event.action,
      empty: { title: t`No events yet`, text: t`What happens on the hosts is listed here as they report it.`, cli: 'docker events' },
    }),
    [],
  )
  return <ListPage config={config} />
}
