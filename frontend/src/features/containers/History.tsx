import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'

import { Ago } from '@/components/bits'
import { Bones, Empty, Failure } from '@/components/Fallbacks'
import { StateIcon } from '@/components/Icon'
import { Section } from '@/components/Page'
import { orderLook, verbWord } from '@/lib/words'

import { type HistoryItem, historyQuery } from './api/history'
import { useContainer } from './ContainerPage'

export function History() {
  const row = useContainer()
  const { data, error, isPending, refetch } = useQuery({ ...historyQuery(row?.id ?? ''), enabled: row !== undefined })
  if (!row || isPending) return <Bones />
  if (!data) return <Failure title={t`The history could not be loaded`} error={error} retry={() => void refetch()} />
  if (data.results.length === 0) return <Empty title={t`Nothing happened yet`} />
  return (
    <Section title={t`Orders and events`}>
      <ul className="panel history">
        {data.results.map((item, n) => (
          <Item key={`${item.at}-${String(n)}`} item={item} />
        ))}
      </ul>
    </Section>
  )
}

function Item({ item }: { item: HistoryItem }) {
  const order = item.order ?? undefined
  const actor = typeof item.actor?.name === 'string' ? item.actor.name : ''
  const look = item.type === 'order' ? orderLook(item.state ?? '') : { icon: item.action === 'die' ? 's-exited-ok' : 's-running', tone: 'muted', words: item.action }
  return (
    <li>
      <StateIcon icon={look.icon} tone={look.tone} label={look.words} />
      <span className="wrap">
        {item.type === 'order' ? `${verbWord(item.op ?? '')}: ${look.words}` : item.action}
        {item.exit_code !== null && ` (${t`exit ${item.exit_code}`})`}
      </span>
      <span className="muted">
        {actor && <Trans>by {actor}</Trans>}{' '}
        {order && (
          <Link className="link" to="/orders/$id" params={{ id: order }}>
            <Trans>order</Trans>
          </Link>
        )}
      </span>
      <span className="meta nowrap">
        <Ago at={item.at} />
      </span>
    </li>
  )
}
