/** A press of a verb: pending at once, an order from the server, its end as a toast where the control is out of sight. */
import { t } from '@lingui/core/macro'
import type { QueryClient } from '@tanstack/react-query'

import { get, newKey } from './api'
import { keys } from './keys'
import { wordsOf } from './problems'
import { createStore, useStore } from './store'
import { toast } from './toasts'
import type { HostRef, Order, PendingOrder } from './types'
import { orderTitle } from './words'

/** How long an order waits for a host, where the caller names nothing else (minutes). */
export const PATIENCE: Record<string, number> = { start: 15, stop: 15, restart: 15, kill: 15, pause: 15, unpause: 15, remove: 60 }
export const LONG_PATIENCE = 24 * 60

export interface OfflineQuestion {
  host: HostRef
  minutes: number
  answer: (notAfter: string | null) => void
}
/** The dialog "web-1 has been offline…" is open while this is set. */
export const offlineQuestion = createStore<OfflineQuestion | null>(null)

/** Targets whose verb was pressed and not yet answered: id → op. */
const pressed = createStore<ReadonlyMap<string, string>>(new Map())
/** Orders of this tab that still run: id → where they were pressed. */
const mine = new Map<string, { from: string; title: string }>()
/** Ends that came last: a quick order's comes before the answer that it was accepted. */
const ended = new Map<string, Order>()
const MOST_ENDED = 100
const isOver = (order: Order): boolean => ['done', 'failed', 'expired', 'cancelled'].includes(order.state)

export interface Press {
  op: string
  target?: { id: string; name: string }
  host?: HostRef | null | undefined
  /** Undefined: it was done by the control plane alone, as dropping the record of a creation that failed. */
  send: (extra: { not_after?: string }, key: string) => Promise<Order | undefined>
  /** Called with the accepted order; a create form goes to its page. */
  onAccepted?: (order: Order) => void
  /** A form shows refusals itself. */
  onRefused?: (error: unknown) => void
}

/** Send one order. Asks first where the host is offline; null when the person cancelled or the server refused. */
export async function press(client: QueryClient, what: Press): Promise<Order | null> {
  const extra: { not_after?: string } = {}
  if (what.host && !what.host.online) {
    const notAfter = await askOffline(what.host, PATIENCE[what.op.split('.')[1] ?? ''] ?? LONG_PATIENCE)
    if (notAfter === null) return null
    extra.not_after = notAfter
  }
  const id = what.target?.id
  if (id) pressed.set((before) => new Map(before).set(id, what.op))
  try {
    const order = await what.send(extra, newKey())
    if (!order) {
      await client.invalidateQueries()
      return null
    }
    follow(order, client)
    what.onAccepted?.(order)
    return order
  } catch (error) {
    if (what.onRefused) what.onRefused(error)
    else toast({ kind: 'bad', title: t`Could not do it: ${opPhrase(what)}`, detail: wordsOf(error) })
    return null
  } finally {
    if (id) pressed.set((before) => new Map([...before].filter(([key]) => key !== id)))
  }
}

const opPhrase = (what: Press): string => orderTitle(what.op, what.target?.name ?? '')

function askOffline(host: HostRef, minutes: number): Promise<string | null> {
  return new Promise((resolve) => {
    offlineQuestion.set({
      host,
      minutes,
      answer: (notAfter) => {
        offlineQuestion.set(null)
        resolve(notAfter)
      },
    })
  })
}

/** Remember an order as ours, and tell its end. */
export function follow(order: Order, client: QueryClient): void {
  client.setQueryData<Order>(keys.detail('orders', order.id), (before) => (before && before.version > order.version ? before : order))
  void client.invalidateQueries({ queryKey: keys.lists('orders') })
  if (order.state === 'done' || order.state === 'failed') return
  mine.set(order.id, { from: location.pathname, title: orderTitle(order.op, order.target.name) })
  const end = ended.get(order.id)
  if (end) void settle(end, client)
}

/** An order changed: when it is one of ours and has ended, say so. */
export async function settle(hint: Order, client: QueryClient): Promise<void> {
  if (!isOver(hint)) return
  const own = mine.get(hint.id)
  if (!own) {
    ended.set(hint.id, hint)
    const [oldest] = ended.keys()
    if (oldest !== undefined && ended.size > MOST_ENDED) ended.delete(oldest)
    return
  }
  mine.delete(hint.id)
  const order = await client.fetchQuery({ queryKey: keys.detail('orders', hint.id), queryFn: () => get<Order>(`/api/orders/${hint.id}/`), staleTime: 0 })
  const link = `/orders/${order.id}`
  if (location.pathname === link) return
  if (order.state === 'failed') toast({ kind: 'bad', title: t`Failed: ${own.title}`, detail: order.problem?.detail ?? '', link })
  else if (order.state === 'expired') toast({ kind: 'bad', title: t`Expired: ${own.title}`, detail: t`The host did not come back in time.`, link })
  else if (order.state === 'done' && location.pathname !== own.from) toast({ kind: 'ok', title: t`Done: ${own.title}`, detail: order.host?.name ?? '', link })
}

/** The verb that waits on a target: pressed a moment ago, or ordered. */
export function usePending(id: string, order: PendingOrder | null | undefined): { op: string; state: string; waiting: boolean } | null {
  const op = useStore(pressed).get(id)
  if (op) return { op, state: 'queued', waiting: false }
  return order ? { op: order.op, state: order.state, waiting: order.waiting_for === 'host' } : null
}
