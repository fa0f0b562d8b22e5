import { type InfiniteData, QueryClient, QueryObserver } from '@tanstack/react-query'
import { afterEach, expect, test, vi } from 'vitest'

import { keys, type Kind } from './keys'
import { EFFECTS, LiveCache } from './live'
import type { Message } from './socket'
import type { Page, Row } from './types'

/** A busy machine is slow. */
const PATIENT = { timeout: 10_000 }

interface Thing extends Row {
  name: string
  pending_order?: unknown
  [field: string]: unknown
}

/** What the server has: changed behind the cache's back, as by another browser. */
class Server {
  rows: Thing[] = [
    { id: 'a', version: 1, name: 'one' },
    { id: 'b', version: 1, name: 'two' },
    { id: 'c', version: 1, name: 'three' },
  ]
  fetches = 0
  /** An answer leaves only when this is kept. */
  held: Promise<void> | undefined
  page = (): InfiniteData<Page<Thing>> => ({ pages: [{ results: structuredClone(this.rows), count: this.rows.length, next: null, previous: null }], pageParams: [''] })
  some = (ids: string[]): Thing[] => structuredClone(this.rows.filter((row) => ids.includes(row.id)))
}

const stop: (() => void)[] = []
afterEach(() => {
  stop.splice(0).forEach((end) => { end(); })
  vi.useRealTimers()
})

/** A page that shows a list, the detail of `a`, and the summary, all fetched once. */
async function watching(kind: Kind, server: Server, params = {}) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity } } })
  const watch = async (queryKey: readonly unknown[], queryFn: () => unknown): Promise<void> => {
    const observer = new QueryObserver(client, { queryKey, queryFn })
    stop.push(observer.subscribe(() => undefined))
    await vi.waitFor(() => { expect(observer.getCurrentResult().isSuccess).toBe(true); }, PATIENT)
  }
  await watch(keys.list(kind, params), () => {
    server.fetches += 1
    const page = server.page()
    return server.held ? server.held.then(() => page) : page
  })
  await watch(keys.detail(kind, 'a'), () => server.some(['a'])[0] ?? null)
  const live = new LiveCache(client, (_kind, ids) => Promise.resolve(server.some(ids)))
  const rows = () => client.getQueryData<InfiniteData<Page<Thing>>>(keys.list(kind, params))?.pages.flatMap((page) => page.results)
  return { client, live, rows, count: () => client.getQueryData<InfiniteData<Page<Thing>>>(keys.list(kind, params))?.pages[0]?.count, detail: () => client.getQueryData<Thing>(keys.detail(kind, 'a')) }
}

const changed = (kind: string, ids: string[], action = 'updated'): Message => ({ type: 'changed', seq: 2, kind, action, ids })

const CHANGES: [string, (server: Server) => string[]][] = [
  ['a row changed', (server) => {
    server.rows[0] = { id: 'a', version: 2, name: 'one, renamed' }
    return ['a']
  }],
  ['a row came', (server) => {
    server.rows.push({ id: 'd', version: 1, name: 'four' })
    return ['d']
  }],
  ['a row went', (server) => {
    server.rows.splice(1, 1)
    return ['b']
  }],
  ['three at once', (server) => {
    server.rows = [{ id: 'c', version: 9, name: 'three!' }, { id: 'e', version: 1, name: 'five' }]
    return ['a', 'b', 'c', 'e']
  }],
  ['so many that ids are left out', (server) => {
    server.rows = Array.from({ length: 300 }, (_, n) => ({ id: `x${String(n)}`, version: 1, name: String(n) }))
    return []
  }],
]

for (const [word, { kind }] of Object.entries(EFFECTS)) {
  test.each(CHANGES)(`${word}: %s`, async (_name, change) => {
    const server = new Server()
    const page = await watching(kind, server)
    const ids = change(server)
    page.live.apply(changed(word, ids))
    await page.live.flush()
    const fresh = server.page().pages[0]?.results
    expect(page.rows()).toEqual(fresh)
    expect(page.count()).toBe(fresh?.length)
    expect(page.detail() ?? null).toEqual(server.some(['a'])[0] ?? null)
  })
}

test.each(['containers', 'volumes', 'networks', 'images'] as const)('a host that goes away changes every row and page of its %s', async (kind) => {
  const server = new Server()
  const page = await watching(kind, server)
  server.rows = server.rows.map((row) => ({ ...row, host: { online: false } }))
  page.live.apply(changed('host', ['h'], 'offline'))
  await page.live.flush()
  expect(page.rows()).toEqual(server.rows)
  expect(page.detail()).toEqual(server.rows[0])
})

test('an answer that was made before a change does not undo it', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  let release = (): void => undefined
  server.held = new Promise((resolve) => { release = resolve })
  void page.client.invalidateQueries({ queryKey: keys.lists('containers') })
  await vi.waitFor(() => { expect(server.fetches).toBe(2) }, PATIENT)
  server.rows = [{ id: 'a', version: 2, name: 'one, renamed' }, ...server.rows.slice(2)]
  page.live.apply(changed('container', ['a', 'b']))
  const flushed = page.live.flush()
  await vi.waitFor(() => { expect(page.rows()?.[0]?.name).toBe('one, renamed') }, PATIENT)
  release()
  await flushed
  await vi.waitFor(() => { expect(page.client.isFetching()).toBe(0) }, PATIENT)
  expect(page.rows()).toEqual(server.rows)
  expect(page.count()).toBe(2)
})

test('a filtered list is asked again: a changed row may have left the filter', async () => {
  const server = new Server()
  const page = await watching('containers', server, { state: ['running'] })
  server.rows = server.rows.slice(1)
  page.live.apply(changed('container', ['a']))
  await page.live.flush()
  expect(page.rows()?.map((row) => row.id)).toEqual(['b', 'c'])
})

test('an order shows at its target at once and leaves when it ends', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  const order = { type: 'order', id: 'o', op: 'container.stop', state: 'sent', progress: null, target: { type: 'container', id: 'a', name: 'one' } }
  page.live.apply(order)
  expect(page.rows()?.[0]?.pending_order).toEqual({ id: 'o', op: 'container.stop', state: 'sent' })
  server.rows[0] = { id: 'a', version: 2, name: 'one', pending_order: null }
  page.live.apply({ ...order, state: 'done' })
  await page.live.flush()
  expect(page.rows()?.[0]).toEqual(server.rows[0])
  expect(page.detail()).toEqual(server.rows[0])
})

test('a hint without the verb fetches the target', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  server.rows[0] = { id: 'a', version: 2, name: 'one', pending_order: { id: 'o', op: 'container.stop', state: 'queued' } }
  page.live.apply({ type: 'order', id: 'o', state: 'queued', target: { type: 'container', id: 'a', name: 'one' } })
  await page.live.flush()
  expect(page.rows()?.[0]).toEqual(server.rows[0])
})

test('an older answer never undoes a newer row', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  server.rows[0] = { id: 'a', version: 0, name: 'from the past' }
  page.live.apply(changed('container', ['a']))
  await page.live.flush()
  expect(page.rows()?.[0]?.name).toBe('one')
})

test('statistics touch only the rows they name', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  const before = page.rows()
  page.live.apply({ type: 'stats', rows: [['b', 12.5, 1024, 0, 0]] })
  expect(page.rows()?.[1]).toMatchObject({ cpu_percent: 12.5, memory_bytes: 1024 })
  expect(page.rows()?.[0]).toBe(before?.[0])
})

test('resync asks for everything in sight', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  server.rows = []
  page.live.apply({ type: 'resync' })
  await vi.waitFor(() => { expect(page.rows()).toEqual([]); }, PATIENT)
})

test('a burst of hints is one fetch', async () => {
  const server = new Server()
  const page = await watching('containers', server)
  const asked = server.fetches
  for (let n = 0; n < 50; n += 1) page.live.apply(changed('container', ['a']))
  await page.live.flush()
  expect(server.fetches - asked).toBe(0)
})

test('a hint that overtakes the first answer of a page is not lost', async () => {
  const server = new Server()
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity } } })
  const answers: (() => void)[] = []
  const read = () => {
    const found = server.some(['a'])[0] ?? null
    return new Promise((resolve) => answers.push(() => { resolve(found); }))
  }
  const observer = new QueryObserver(client, { queryKey: keys.detail('containers', 'a'), queryFn: read })
  stop.push(observer.subscribe(() => undefined))
  await vi.waitFor(() => { expect(answers).toHaveLength(1); }, PATIENT)
  server.rows[0] = { id: 'a', version: 2, name: 'creation failed' }
  const live = new LiveCache(client, (_kind, ids) => Promise.resolve(server.some(ids)))
  live.apply(changed('container', ['a']))
  const flushed = live.flush()
  answers[0]?.()
  await vi.waitFor(() => { expect(answers).toHaveLength(2); }, PATIENT)
  answers[1]?.()
  await flushed
  expect(client.getQueryData<Thing>(keys.detail('containers', 'a'))?.name).toBe('creation failed')
})
