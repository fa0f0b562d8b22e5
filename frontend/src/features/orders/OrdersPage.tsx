import { t } from '@lingui/core/macro'
import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { StateIcon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { OrderState } from '@/components/StateChip'
import { bytes, count, duration } from '@/lib/format'
import type { Order } from '@/lib/types'
import { orderLook, orderStateWord, orderTitle, verbWord } from '@/lib/words'

const STATES = ['queued', 'sent', 'running', 'done', 'failed', 'expired', 'cancelled']
const OPS = ['container.create', 'container.start', 'container.stop', 'container.restart', 'container.kill', 'container.remove', 'image.pull', 'image.build', 'image.push', 'image.remove', 'volume.create', 'volume.remove', 'network.create', 'network.remove', 'system.prune']

export function progressWords(order: Order): string {
  const progress = order.progress
  if (!progress || order.state !== 'running') return order.waiting_for === 'host' ? t`waiting for host` : ''
  if (progress.total && progress.unit === 'bytes') return t`${bytes(progress.current)} of ${bytes(progress.total)}`
  if (progress.total) return t`${progress.current ?? 0} of ${progress.total}`
  return progress.text ?? ''
}

/** How long it ran, once it has ended. */
export function tookOf(order: Order): string {
  if (!order.finished_at || !order.started_at) return ''
  return duration((Date.parse(order.finished_at) - Date.parse(order.started_at)) / 1000)
}

export function OrdersPage() {
  const navigate = useNavigate()
  const config = useMemo<ListConfig<Order>>(
    () => ({
      kind: 'orders',
      title: t`Activity`,
      counted: (n) => (n === 1 ? t`1 order` : t`${count(n)} orders`),
      searchLabel: t`Search activity`,
      searchHint: t`Target, verb`,
      defaultOrder: '-created_at',
      byHost: true,
      filters: [
        { name: 'state', label: t`state`, choices: STATES.map((value) => ({ value, label: orderStateWord(value) })) },
        { name: 'op', label: t`verb`, choices: OPS.map((value) => ({ value, label: `${verbWord(value)} ${value.split('.')[0] ?? ''}` })) },
      ],
      columns: [
        { key: 'what', label: t`Order`, cell: (order) => orderTitle(order.op, order.target.name) },
        { key: 'state', label: t`State`, sort: 'state', width: '136px', cell: (order) => <OrderState state={order.state} /> },
        { key: 'progress', label: t`Progress`, width: '200px', rank: 2, cell: (order) => <span className="muted">{order.state === 'failed' ? (order.problem?.detail ?? '') : progressWords(order)}</span> },
        { key: 'host', label: t`Host`, width: '120px', rank: 1, cell: (order) => order.host?.name ?? '' },
        { key: 'who', label: t`Who`, width: '120px', rank: 2, cell: (order) => order.actor?.name ?? '' },
        { key: 'created', label: t`Started`, sort: 'created_at', width: '112px', end: true, cell: (order) => <Ago at={order.created_at} /> },
        { key: 'took', label: t`Took`, width: '96px', rank: 1, end: true, cell: tookOf },
      ],
      card: (order) => ({
        lead: <StateIcon icon={orderLook(order.state).icon} tone={orderLook(order.state).tone} />,
        title: orderTitle(order.op, order.target.name),
        end: <OrderState state={order.state} />,
        sub: [order.host?.name, order.actor?.name].filter(Boolean).join(' · '),
        subEnd: <Ago at={order.created_at} />,
      }),
      to: (order) => `/orders/${order.id}`,
      nameOf: (order) => orderTitle(order.op, order.target.name),
      stateOf: (order) => order.state,
      menu: (order) => [[{ label: t`Output`, icon: 'logs', onPick: () => void navigate({ to: '/orders/$id', params: { id: order.id } }) }]],
      empty: { title: t`Nothing was ordered yet`, text: t`What you and others ask of the hosts is listed here, with its output.` },
    }),
    [navigate],
  )
  return <ListPage config={config} />
}
