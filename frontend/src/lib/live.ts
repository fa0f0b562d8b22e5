/**
 * What each message of `/ws/events` does to the cache. One table; the test beside it applies every event
 * to a stale cache and compares with a fresh fetch.
 */
import type { InfiniteData, QueryClient, QueryFilters, QueryKey } from '@tanstack/react-query'

import { keys, type Kind } from './keys'
import type { Message } from './socket'
import type { Order, Page, PendingOrder, Row } from './types'

const COALESCE = 100
/** Hints of one cause come together: what is awaited is asked for once they are all in. */
const BURST = 10
/** Counts, orders and trails follow at leisure, so that they do not hold up the row that somebody waits for. */
const LATER = 400
const RESORT = 5_000
/** Above this many changed rows a whole refetch is cheaper. */
const MOST_IDS = 100

interface Effect {
  kind: Kind
  /** What else shows something of this kind. */
  also: QueryKey[]
}

/** What says of a host that it is there, or is away: each row and each page of what lies on it. */
const ON_HOSTS = (['containers', 'volumes', 'networks', 'images'] as const).flatMap((kind) => [keys.lists(kind), keys.details(kind)])

export const EFFECTS: Record<string, Effect> = {
  container: { kind: 'containers', also: [keys.summary] },
  image: { kind: 'images', also: [] },
  volume: { kind: 'volumes', also: [] },
  network: { kind: 'networks', also: [] },
  host: { kind: 'hosts', also: [keys.summary, ...ON_HOSTS] },
  repository: { kind: 'repositories', also: [] },
  event: { kind: 'events', also: [] },
  audit: { kind: 'audit', also: [] },
  token: { kind: 'tokens', also: [] },
  order: { kind: 'orders', also: [keys.summary] },
}

/** Queries whose content follows others': never patched, only asked again. */
const FOLLOWERS: QueryKey[] = [keys.lists('events'), keys.lists('audit')]
/** A verb that was accepted: the order's own hint, which comes with this one, has said so. */
const ACCEPTED = new Set(['start', 'stop', 'restart', 'kill', 'pause', 'unpause'])
/** The hint itself carries what is shown of these. */
const SLOW = new Set<Kind>(['orders', 'events', 'audit'])
const ENDED = new Set(['done', 'failed', 'expired', 'cancelled'])
/** Of a list's parameters these do not choose rows. */
const NO_FILTER = new Set(['order', 'page_size'])

export type FetchRows = (kind: Kind, ids: string[]) => Promise<Row[]>
type Cached = InfiniteData<Page<Row>>

const isList = (data: unknown): data is Cached => typeof data === 'object' && data !== null && 'pages' in data

export class LiveCache {
  private changed = new Map<Kind, Set<string> | 'all'>()
  private also = new Map<string, QueryKey>()
  private timer: ReturnType<typeof setTimeout> | undefined
  private laterTimer: ReturnType<typeof setTimeout> | undefined
  private flushedAt = 0
  private resort = new Map<Kind, ReturnType<typeof setTimeout>>()

  constructor(
    private readonly client: QueryClient,
    private readonly fetchRows: FetchRows,
    private readonly onOrder: (order: Order) => void = () => undefined,
  ) {}

  apply(message: Message): void {
    switch (message.type) {
      case 'changed': {
        if (ACCEPTED.has(String(message.action)) && message.order) break
        this.noteChanged(String(message.kind), (message.ids as string[] | undefined) ?? [])
        break
      }
      case 'order': {
        this.applyOrder(message as unknown as Order)
        break
      }
      case 'stats': {
        this.applyStats(message.rows as [string, number, number][])
        break
      }
      case 'resync':
        void this.ask({})
    }
  }

  /**
   * Ask again for what is stale. A first answer that is still on its way may have been made before the change, and
   * invalidating does not stop it: it is waited for and asked for once more.
   */
  private async ask(filters: QueryFilters): Promise<void> {
    const overtaken = this.client.getQueryCache().findAll({ ...filters, fetchStatus: 'fetching' }).filter((query) => query.state.data === undefined)
    await this.client.invalidateQueries(filters)
    await Promise.all(overtaken.map(({ queryKey }) => this.client.invalidateQueries({ queryKey, exact: true })))
  }

  private noteChanged(word: string, ids: string[]): void {
    const effect = EFFECTS[word]
    if (!effect) return
    const before = this.changed.get(effect.kind)
    if (before === 'all') return
    const all = new Set([...(before ?? []), ...ids])
    this.changed.set(effect.kind, ids.length === 0 || all.size > MOST_IDS ? 'all' : all)
    for (const key of [...effect.also, ...FOLLOWERS]) this.also.set(JSON.stringify(key), key)
    this.laterTimer ??= setTimeout(() => void this.flush(), LATER)
    if (!SLOW.has(effect.kind)) this.timer ??= setTimeout(() => void this.flushRows(), Math.max(BURST, this.flushedAt + COALESCE - Date.now()))
  }

  /** Do all that the collected hints ask for. */
  async flush(): Promise<void> {
    clearTimeout(this.laterTimer)
    this.laterTimer = undefined
    const also = [...this.also.values()]
    this.also.clear()
    await Promise.all([this.flushRows(true), ...also.map((queryKey) => this.ask({ queryKey }))])
  }

  /** Ask for the rows that changed: the first of a burst at once, the rest at most every 100 ms. */
  private async flushRows(all = false): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.flushedAt = Date.now()
    const changed = [...this.changed].filter(([kind]) => all || !SLOW.has(kind))
    for (const [kind] of changed) this.changed.delete(kind)
    await Promise.all(changed.map(([kind, ids]) => (ids === 'all' ? this.ask({ queryKey: keys.kind(kind) }) : this.patch(kind, [...ids]))))
  }

  private async patch(kind: Kind, ids: string[]): Promise<void> {
    const work = ids.map((id) => this.ask({ queryKey: keys.detail(kind, id) }))
    const lists = this.client.getQueriesData<Cached>({ queryKey: keys.lists(kind), type: 'active' })
    this.client.getQueryCache().findAll({ queryKey: keys.lists(kind), type: 'inactive' }).forEach((query) => query.invalidate())
    if (lists.length > 0) {
      try {
        const rows = await this.fetchRows(kind, ids)
        for (const [key] of lists) work.push(this.patchList(kind, key, ids, rows))
      } catch {
        work.push(this.ask({ queryKey: keys.lists(kind) }))
      }
    }
    await Promise.all(work)
  }

  private async patchList(kind: Kind, key: QueryKey, ids: string[], rows: Row[]): Promise<void> {
    const data = this.client.getQueryData(key)
    if (!isList(data)) {
      await this.ask({ queryKey: key, exact: true })
      return
    }
    this.client.setQueryData<Cached>(key, patched(data, ids, rows))
    const shown = new Set(data.pages.flatMap((page) => page.results.map((row) => row.id)))
    const unknown = rows.some((row) => !shown.has(row.id))
    const filtered = Object.keys((key[2] ?? {}) as object).some((name) => !NO_FILTER.has(name))
    if (unknown || filtered) {
      await this.ask({ queryKey: key, exact: true })
      return
    }
    this.sortLater(kind)
    // An answer that is still on its way may have been made before the change.
    const query = this.client.getQueryCache().find({ queryKey: key, exact: true, fetchStatus: 'fetching' })
    if (!query) return
    await query.promise?.catch(() => undefined)
    this.client.setQueryData<Cached>(key, (late) => (isList(late) ? patched(late, ids, rows) : late))
  }

  /** A patched row may belong elsewhere in the order; the list is sorted anew by the server, at most every 5 s. */
  private sortLater(kind: Kind): void {
    if (this.resort.has(kind)) return
    this.resort.set(
      kind,
      setTimeout(() => {
        this.resort.delete(kind)
        void this.ask({ queryKey: keys.lists(kind) })
      }, RESORT),
    )
  }

  private applyOrder(order: Order): void {
    this.onOrder(order)
    const ended = ENDED.has(order.state)
    this.client.setQueryData<Order>(keys.detail('orders', order.id), (before) => before && { ...before, state: order.state, progress: order.progress })
    const known = this.patchRows('orders', order.id, (row) => ({ ...row, state: order.state, progress: order.progress }))
    if (!known || ended || order.state === 'queued') this.noteChanged('order', [order.id])
    if (ended) void this.ask({ queryKey: keys.detail('orders', order.id) })
    const target = (order.target as Order['target'] | null) ?? null
    const effect = target?.id ? EFFECTS[target.type] : undefined
    if (!target?.id || !effect) return
    const pending: Partial<PendingOrder> | null = ended ? null : { id: order.id, op: order.op, state: order.state }
    // A hint without the verb cannot say what is pending: the row is asked for instead.
    if (!ended && order.op) {
      this.patchRows(effect.kind, target.id, (row) => Object.assign({}, row, { pending_order: pending }))
      this.client.setQueryData<object>(keys.detail(effect.kind, target.id), (before) => before && { ...before, pending_order: pending })
    }
    if (ended || !order.op) this.noteChanged(target.type, [target.id])
  }

  private applyStats(rows: [string, number, number][]): void {
    const fresh = new Map(rows.map(([id, cpu, memory]) => [id, { cpu_percent: cpu, memory_bytes: memory }]))
    for (const [key, data] of this.client.getQueriesData<Cached>({ queryKey: keys.lists('containers'), type: 'active' })) {
      if (!isList(data)) continue
      this.client.setQueryData<Cached>(key, {
        ...data,
        pages: data.pages.map((page) => ({ ...page, results: page.results.map((row) => (fresh.has(row.id) ? { ...row, ...fresh.get(row.id) } : row)) })),
      })
    }
  }

  /** Change one row in every list that has it; whether any had. */
  private patchRows(kind: Kind, id: string, change: (row: Row) => Row): boolean {
    let found = false
    for (const [key, data] of this.client.getQueriesData<Cached>({ queryKey: keys.lists(kind) })) {
      if (!isList(data) || !data.pages.some((page) => page.results.some((row) => row.id === id))) continue
      found = true
      this.client.setQueryData<Cached>(key, {
        ...data,
        pages: data.pages.map((page) => ({ ...page, results: page.results.map((row) => (row.id === id ? change(row) : row)) })),
      })
    }
    return found
  }
}

/** A list with these rows as they are now; those of `ids` that are not among them are gone. */
function patched(data: Cached, ids: string[], rows: Row[]): Cached {
  const fresh = new Map(rows.map((row) => [row.id, row]))
  const gone = new Set(ids.filter((id) => !fresh.has(id)))
  const lost = data.pages.flatMap((page) => page.results).filter((row) => gone.has(row.id)).length
  return {
    ...data,
    pages: data.pages.map((page) => ({
      ...page,
      count: page.count - lost,
      results: page.results.filter((row) => !gone.has(row.id)).map((row) => newer(row, fresh.get(row.id))),
    })),
  }
}

/** The row of the higher version; a late answer never undoes a newer one. */
const newer = (before: Row, after: Row | undefined): Row => (after && (after.version ?? 0) >= (before.version ?? 0) ? after : before)
