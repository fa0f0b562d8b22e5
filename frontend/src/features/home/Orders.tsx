import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'

import { Ago, Meter } from '@/components/bits'
import { StateIcon } from '@/components/Icon'
import { useList } from '@/lib/lists'
import type { Order } from '@/lib/types'
import { orderLook, orderStateWord, orderTitle } from '@/lib/words'

export function RunningOrders() {
  const { rows, count } = useList<Order>('orders', { state: ['queued', 'sent', 'running'], order: '-created_at' }, { pageSize: 20 })
  return (
    <section aria-label={t`Running orders`}>
      <div className="section-head">
        <h2>
          <Trans>Running orders</Trans>
        </h2>
        {count !== undefined && count > 0 && <span className="badge">{count}</span>}
        <Link className="link actions" to="/orders">
          <Trans>All activity</Trans>
        </Link>
      </div>
      {rows.length === 0 ? (
        <p className="muted">
          <Trans>None.</Trans>
        </p>
      ) : (
        <ul className="panel">
          {rows.slice(0, 8).map((order) => (
            <li key={order.id} className="order-row">
              <OrderIcon order={order} />
              <OrderLink order={order} />
              <span>{order.progress?.total ? <Meter value={((order.progress.current ?? 0) / order.progress.total) * 100} tone="accent" /> : null}</span>
              <span className="muted cut">{order.waiting_for === 'host' ? t`waiting for host` : orderStateWord(order.state)}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

export function RecentActivity() {
  const { rows } = useList<Order>('orders', { order: '-created_at' }, { pageSize: 20 })
  const ended = rows.filter((order) => order.finished_at)
  return (
    <section aria-label={t`Recent activity`}>
      <div className="section-head">
        <h2>
          <Trans>Recent activity</Trans>
        </h2>
      </div>
      {ended.length === 0 ? (
        <p className="muted">
          <Trans>Nothing yet.</Trans>
        </p>
      ) : (
        <ul className="panel">
          {ended.slice(0, 8).map((order) => (
            <li key={order.id} className="order-row">
              <OrderIcon order={order} />
              <OrderLink order={order} />
              <span className="muted cut who">{order.actor?.name}</span>
              <span className="muted num nowrap">
                <Ago at={order.finished_at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function OrderIcon({ order }: { order: Order }) {
  const look = orderLook(order.state)
  return <StateIcon icon={look.icon} tone={look.tone} label={t`Order: ${look.words}`} />
}

function OrderLink({ order }: { order: Order }) {
  return (
    <Link className="cut" to="/orders/$id" params={{ id: order.id }}>
      <span className="strong">{orderTitle(order.op, order.target.name)}</span>{' '}
      {order.host && (
        <span className="muted">
          <Trans>on {order.host.name}</Trans>
        </span>
      )}
    </Link>
  )
}
