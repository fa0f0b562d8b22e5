import { QueryClient } from '@tanstack/react-query'
import { beforeEach, expect, test, vi } from 'vitest'

import { Problem } from './api'
import { follow, offlineQuestion, press, settle } from './orders'
import { toasts } from './toasts'
import type { Order } from './types'

/** A busy machine is slow. */
const PATIENT = { timeout: 10_000 }

const host = { id: 'h', name: 'web-1', online: true }
const order = (state: Order['state'], more: Partial<Order> = {}): Order => ({
  id: 'o', op: 'container.stop', target: { type: 'container', id: 'c', name: 'db' }, host, state, waiting_for: null, progress: null, result: null, problem: null,
  actor: { id: 'u', name: 'admin', kind: 'user' }, cause: '', batch: null, created_at: '2026-01-01T00:00:00Z', sent_at: null, started_at: null, finished_at: null, not_after: '2026-01-01T00:15:00Z', with_credential: false, version: 1, ...more,
})
const answers = (body: unknown): void => {
  vi.stubGlobal('fetch', vi.fn(() => Promise.resolve(new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } }))))
}

beforeEach(() => {
  toasts.set([])
  history.replaceState(null, '', '/containers')
})

test('a press sends one key and keeps the order', async () => {
  const client = new QueryClient()
  const send = vi.fn((_extra: object, key: string) => Promise.resolve(order('queued', { id: `order-${String(key.length)}` })))
  const made = await press(client, { op: 'container.stop', target: { id: 'c', name: 'db' }, host, send })
  expect(send).toHaveBeenCalledOnce()
  expect(send.mock.calls[0]?.[0]).toEqual({})
  expect(client.getQueryData(['orders', 'detail', made?.id])).toEqual(made)
})

test('an offline host is asked about first, and the answer names until when', async () => {
  const send = vi.fn<(extra: { not_after?: string }) => Promise<Order>>(() => Promise.resolve(order('queued')))
  const done = press(new QueryClient(), { op: 'container.stop', target: { id: 'c', name: 'db' }, host: { ...host, online: false }, send })
  expect(offlineQuestion.get()).toMatchObject({ minutes: 15 })
  expect(send).not.toHaveBeenCalled()
  offlineQuestion.get()?.answer('2026-01-01T00:15:00Z')
  await done
  expect(send.mock.calls[0]?.[0]).toEqual({ not_after: '2026-01-01T00:15:00Z' })
})

test('cancelled: nothing is sent', async () => {
  const send = vi.fn(() => Promise.resolve(order('queued')))
  const done = press(new QueryClient(), { op: 'container.create', host: { ...host, online: false }, send })
  expect(offlineQuestion.get()?.minutes).toBe(24 * 60)
  offlineQuestion.get()?.answer(null)
  expect(await done).toBeNull()
  expect(send).not.toHaveBeenCalled()
})

test('a refusal is said with the server’s words', async () => {
  await press(new QueryClient(), { op: 'container.stop', target: { id: 'c', name: 'db' }, host, send: () => Promise.reject(new Problem(409, { detail: 'db is not running' })) })
  expect(toasts.get()).toMatchObject([{ kind: 'bad', title: 'Could not do it: Stop db', detail: 'db is not running' }])
})

test('an end in sight of its button is no toast; out of sight it is', async () => {
  const client = new QueryClient()
  answers(order('done'))
  follow(order('queued'), client)
  await settle(order('done'), client)
  expect(toasts.get()).toEqual([])
  follow(order('queued'), client)
  history.replaceState(null, '', '/images')
  await settle(order('done'), client)
  expect(toasts.get()).toMatchObject([{ kind: 'ok', title: 'Done: Stop db', link: '/orders/o' }])
})

test('a failure is always said, with its cause', async () => {
  const client = new QueryClient()
  answers(order('failed', { problem: { code: 'x', status: 409, detail: 'port 8080 is taken' } }))
  follow(order('queued'), client)
  await settle(order('failed'), client)
  expect(toasts.get()).toMatchObject([{ kind: 'bad', detail: 'port 8080 is taken' }])
})

test('an end that comes before the answer is said too, and nothing older is shown after it', async () => {
  const client = new QueryClient()
  const failed = order('failed', { id: 'quick', version: 3, problem: { code: 'x', status: 409, detail: 'port 8080 is taken' } })
  answers(failed)
  const send = async (): Promise<Order> => {
    await settle(failed, client)
    return order('queued', { id: 'quick' })
  }
  await press(client, { op: 'container.start', target: { id: 'c', name: 'db' }, host, send })
  await vi.waitFor(() => { expect(toasts.get()).toMatchObject([{ kind: 'bad', detail: 'port 8080 is taken' }]) }, PATIENT)
  expect(client.getQueryData<Order>(['orders', 'detail', 'quick'])?.state).toBe('failed')
  follow(order('queued', { id: 'quick' }), client)
  expect(client.getQueryData<Order>(['orders', 'detail', 'quick'])?.state).toBe('failed')
})

test('others’ orders are no toasts', async () => {
  answers(order('failed'))
  await settle(order('failed', { id: 'someone-elses' }), new QueryClient())
  expect(toasts.get()).toEqual([])
})
