import { Popover } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'

import { Ago } from '@/components/bits'
import { Button } from '@/components/Button'
import { StateIcon } from '@/components/Icon'
import { useList } from '@/lib/lists'
import type { Order } from '@/lib/types'
import { orderLook, orderTitle } from '@/lib/words'

export const RUNNING = ['queued', 'sent', 'running']

/** Orders that run, by their number; a press shows them and the last ended ones. */
export function ActivityButton() {
  const running = useList<Order>('orders', { state: RUNNING, order: '-created_at' }, { pageSize: 20 }).count ?? 0
  const [open, setOpen] = useState(false)
  return (
    <Popover opened={open} onChange={setOpen} position="bottom-end" trapFocus returnFocus>
      <Popover.Target>
        <Button small kind="plain" icon="activity" className="activity" aria-label={running > 0 ? t`Activity, ${running} running` : t`Activity`} aria-haspopup="dialog" aria-expanded={open} onClick={() => { setOpen(!open); }}>
          <span className="activity-label">
            <Trans>Activity</Trans>
          </span>
          {running > 0 && <span className="badge on" data-count={running} />}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t`Activity`}>{open && <Latest onFollow={() => { setOpen(false); }} />}</Popover.Dropdown>
    </Popover>
  )
}

function Latest({ onFollow }: { onFollow: () => void }) {
  const { rows } = useList<Order>('orders', { order: '-created_at' }, { pageSize: 10 })
  return (
    <div className="latest">
      {rows.length === 0 && (
        <p className="muted">
          <Trans>Nothing was ordered yet.</Trans>
        </p>
      )}
      <ul>
        {rows.map((order) => {
          const look = orderLook(order.state)
          return (
            <li key={order.id}>
              <Link to="/orders/$id" params={{ id: order.id }} onClick={onFollow}>
                <StateIcon icon={look.icon} tone={look.tone} label={look.words} />
                <span className="grow cut">{orderTitle(order.op, order.target.name)}</span>
                <span className="meta">{order.host?.name}</span>
                <span className="meta nowrap">
                  <Ago at={order.finished_at ?? order.created_at} />
                </span>
              </Link>
            </li>
          )
        })}
      </ul>
      <Link className="link" to="/orders" onClick={onFollow}>
        <Trans>All activity</Trans>
      </Link>
    </div>
  )
}
