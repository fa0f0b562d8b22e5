import { MantineProvider } from '@mantine/core'
import { I18nProvider } from '@lingui/react'
import { i18n } from '@lingui/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { cleanup, render, screen, waitFor, within } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { afterEach, expect, test, vi } from 'vitest'

import { connection } from '@/lib/connection'
import { parseSearch, type Search, stringifySearch } from '@/lib/search'

import { ListPage } from './ListPage'
import type { ListConfig } from './types'

interface Thing {
  id: string
  name: string
}

const run = vi.fn(() => Promise.resolve())
const config: ListConfig<Thing> = {
  kind: 'volumes',
  title: 'Things',
  counted: (n) => `${String(n)} things`,
  searchLabel: 'Search things',
  defaultOrder: 'name',
  filters: [{ name: 'state', label: 'state', choices: [{ value: 'on', label: 'on' }, { value: 'off', label: 'off' }] }],
  columns: [{ key: 'name', label: 'Name', sort: 'name', cell: (row) => row.name }],
  card: (row) => ({ title: row.name, sub: '' }),
  nameOf: (row) => row.name,
  bulk: [{ label: 'Stop', icon: 'stop', fits: (row) => row.name !== 'b', run }],
  empty: { title: 'No things yet' },
}

let asked: string[] = []
afterEach(() => {
  cleanup()
  asked = []
})

/** Opens the list at an address, over a server that answers by `serve`. */
function open(address: string, serve: (url: URL) => Thing[] | number) {
  connection.set((before) => ({ ...before, status: 'connected' }))
  vi.stubGlobal('scrollTo', () => undefined)
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path)
    const answer = serve(new URL(path, 'http://x'))
    const body = typeof answer === 'number' ? { title: 'Unavailable', detail: 'The database does not answer', instance: 'r1' } : { results: answer, count: answer.length, next: null, previous: null }
    return Promise.resolve(new Response(JSON.stringify(body), { status: typeof answer === 'number' ? answer : 200, headers: { 'Content-Type': 'application/json' } }))
  })
  const root = createRootRoute()
  const things = createRoute({ getParentRoute: () => root, path: '/things', validateSearch: (search): Search => search as Search, component: () => <ListPage config={config} /> })
  const router = createRouter({ routeTree: root.addChildren([things]), history: createMemoryHistory({ initialEntries: [address] }), parseSearch, stringifySearch })
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  render(
    <I18nProvider i18n={i18n}>
      <MantineProvider>
        <QueryClientProvider client={client}>
          {/* The types of the whole app's routes do not fit this small router. */}
          <RouterProvider router={router as never} />
        </QueryClientProvider>
      </MantineProvider>
    </I18nProvider>,
  )
  return { router, client }
}

const three = [{ id: '1', name: 'a' }, { id: '2', name: 'b' }, { id: '3', name: 'c' }]

test('rows, their count and the page’s words', async () => {
  open('/things', () => three)
  const table = await screen.findByRole('table', { name: 'Things' })
  expect(within(table).getAllByRole('row')).toHaveLength(4)
  expect(screen.getByRole('status', { name: '3 things' })).toBeTruthy()
  expect(document.title).toBe('Things · Longshore')
})

test('the address is the view: filters of the URL go to the API and stand as chips', async () => {
  open('/things?state=on&state=off&search=x', () => three)
  await screen.findByRole('table')
  expect(asked[0]).toBe('/api/volumes/?search=x&state=on&state=off&order=name&page_size=500')
  expect(screen.getByRole('button', { name: 'Remove filter: state is on, off' })).toBeTruthy()
  expect(screen.getByRole<HTMLInputElement>('searchbox', { name: 'Search things' }).value).toBe('x')
})

test('what is typed lands in the address, and a set filter stays in sight when nothing matches', async () => {
  const { router } = open('/things', (url) => (url.searchParams.has('search') ? [] : three))
  await screen.findByRole('table')
  await userEvent.type(screen.getByRole('searchbox'), 'zz')
  await screen.findByText('Nothing matches these filters')
  expect(router.state.location.search).toEqual({ search: 'zz' })
  await userEvent.click(screen.getAllByRole('button', { name: 'Clear filters' })[0] as HTMLElement)
  await screen.findByRole('table')
  expect(router.state.location.search).toEqual({})
})

test('a press on a head sorts by the server, a second one the other way', async () => {
  const { router } = open('/things', () => three)
  await userEvent.click(await screen.findByRole('button', { name: /Name/ }))
  await waitFor(() => { expect(router.state.location.search).toEqual({ order: '-name' }); })
  expect(asked.at(-1)).toContain('order=-name')
  expect(screen.getByRole('columnheader', { name: /Name/ }).getAttribute('aria-sort')).toBe('descending')
})

test('nothing there differs from nothing found', async () => {
  open('/things', () => [])
  expect(await screen.findByText('No things yet')).toBeTruthy()
  expect(screen.queryByText('Nothing matches these filters')).toBeNull()
})

test('an error without rows names its request and can be tried again', async () => {
  let works = false
  open('/things', () => (works ? three : 503))
  expect(await screen.findByText('The list could not be loaded')).toBeTruthy()
  expect(screen.getByText('r1')).toBeTruthy()
  works = true
  await userEvent.click(screen.getByRole('button', { name: 'Retry' }))
  await screen.findByRole('table')
})

test('a failed refresh keeps the rows', async () => {
  let works = true
  const { client } = open('/things', () => (works ? three : 503))
  await screen.findByRole('table')
  works = false
  await client.invalidateQueries()
  expect(await screen.findByText(/Could not refresh \(503\)/)).toBeTruthy()
  expect(screen.getAllByRole('row')).toHaveLength(4)
})

test('a selection survives a refetch that hides it, and acts only on what fits', async () => {
  let rows = three
  const { client } = open('/things', () => rows)
  await userEvent.click(await screen.findByRole('checkbox', { name: 'Select all' }))
  rows = three.slice(0, 2)
  await client.invalidateQueries()
  const bar = await screen.findByRole('toolbar', { name: 'Bulk actions' })
  await within(bar).findByText(', 1 hidden by the filter')
  await userEvent.click(within(bar).getByRole('button', { name: 'Stop' }))
  expect(run).toHaveBeenCalledWith([three[0], three[2]])
  await userEvent.click(within(bar).getByRole('button', { name: 'Clear selection' }))
  expect(screen.queryByRole('toolbar')).toBeNull()
})
