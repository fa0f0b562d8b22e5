import { t } from '@lingui/core/macro'
import { Link } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { Icon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { clock, count } from '@/lib/format'
import type { AuditEntry } from '@/lib/types'

function Result({ entry }: { entry: AuditEntry }) {
  const order = entry.order?.id
  const end = entry.order?.state
  return (
    <span className={entry.result === 'refused' ? 'bad' : ''}>
      {entry.result === 'refused' ? t`refused` : t`accepted`}
      {entry.code && ` ${entry.code}`}
      {order && (
        <>
          {', '}
          <Link className="link" to="/orders/$id" params={{ id: order }}>
            {end || t`order`}
          </Link>
        </>
      )}
    </span>
  )
}

export function AuditPage() {
  const config = useMemo<ListConfig<AuditEntry>>(
    () => ({
      kind: 'audit',
      title: t`Audit`,
      counted: (n) => (n === 1 ? t`1 entry` : t`${count(n)} entries`),
      searchLabel: t`Search audit`,
      searchHint: t`Who, action, target`,
      defaultOrder: '-at',
      filters: [
        {
          name: 'result',
          label: t`result`,
          choices: [
            { value: 'accepted', label: t`accepted` },
            { value: 'refused', label: t`refused` },
          ],
        },
      ],
      columns: [
        { key: 'at', label: t`Time`, sort: 'at', width: '112px', cell: (entry) => <time dateTime={entry.at}>{clock(entry.at)}</time> },
        { key: 'who', label: t`Who`, width: '152px', cell: (entry) => entry.actor.name },
        { key: 'action', label: t`Action`, width: '20%', cell: (entry) => entry.action },
        { key: 'target', label: t`Target`, cell: (entry) => entry.target?.name ?? '' },
        { key: 'host', label: t`Host`, width: '120px', rank: 2, cell: (entry) => entry.host?.name ?? '' },
        { key: 'result', label: t`Result`, width: '200px', rank: 1, cell: (entry) => <Result entry={entry} /> },
        { key: 'address', label: t`Address`, width: '128px', rank: 2, cell: (entry) => <span className="mono muted">{entry.address}</span> },
      ],
      card: (entry) => ({ lead: <Icon name="audit" />, title: [entry.action, entry.target?.name].filter(Boolean).join(' '), end: <Ago at={entry.at} />, sub: `${entry.actor.name} · ${entry.result}` }),
      nameOf: (entry) => entry.action,
      stateOf: (entry) => entry.result,
      empty: { title: t`Nothing was done yet`, text: t`Who did what, and who was refused.` },
    }),
    [],
  )
  return <ListPage config={config} />
}
