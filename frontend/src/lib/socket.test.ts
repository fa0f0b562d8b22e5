import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { backoff, hurry, openChannel } from './socket'

class FakeSocket {
  static made: FakeSocket[] = []
  static readonly OPEN = 1
  readyState = 1
  sent: unknown[] = []
  onopen?: () => void
  onmessage?: (event: { data: unknown }) => void
  onclose?: (event: { code: number; reason: string }) => void
  constructor(readonly url: string) {
    FakeSocket.made.push(this)
  }
  send = (data: unknown): number => this.sent.push(data)
  close = (): void => undefined
}

beforeEach(() => {
  FakeSocket.made = []
  vi.stubGlobal('WebSocket', FakeSocket)
  vi.useFakeTimers()
})
afterEach(() => { vi.useRealTimers(); })

test('waits grow from 0.5 s to 30 s, with full jitter', () => {
  expect(backoff(0, () => 1)).toBe(500)
  expect(backoff(3, () => 1)).toBe(4000)
  expect(backoff(20, () => 1)).toBe(30_000)
  expect(backoff(5, () => 0)).toBe(0)
})

test('a cut is tried again, with the path asked anew', async () => {
  let from = 'a'
  const closed = vi.fn()
  openChannel(() => `/ws/x?from=${from}`, { onClose: closed }, { retry: true })
  from = 'b'
  FakeSocket.made[0]?.onclose?.({ code: 1006, reason: '' })
  expect(closed).toHaveBeenCalledWith(1006, '', true)
  await vi.advanceTimersByTimeAsync(501)
  expect(FakeSocket.made.map((socket) => socket.url.split('/ws')[1])).toEqual(['/x?from=a', '/x?from=b'])
})

test.each([1000, 4400, 4401, 4403, 4404, 4409, 4410])('%i is final', async (code) => {
  const closed = vi.fn()
  openChannel(() => '/ws/x', { onClose: closed }, { retry: true })
  FakeSocket.made[0]?.onclose?.({ code, reason: 'why' })
  expect(closed).toHaveBeenCalledWith(code, 'why', false)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(FakeSocket.made).toHaveLength(1)
})

test('no attempt while the tab is hidden; one as soon as it is shown', async () => {
  const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
  openChannel(() => '/ws/x', {}, { retry: true })
  FakeSocket.made[0]?.onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(FakeSocket.made).toHaveLength(1)
  hidden.mockReturnValue(false)
  document.dispatchEvent(new Event('visibilitychange'))
  expect(FakeSocket.made).toHaveLength(2)
})

test('a sign of life ends the wait, and dozens of them make one attempt', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(1)
  const channel = openChannel(() => '/ws/x', {}, { retry: true })
  for (let attempt = 0; attempt < 6; attempt += 1) {
    FakeSocket.made.at(-1)?.onclose?.({ code: 1006, reason: '' })
    await vi.advanceTimersByTimeAsync(30_000)
  }
  FakeSocket.made.at(-1)?.onclose?.({ code: 1006, reason: '' })
  const before = FakeSocket.made.length
  hurry()
  hurry()
  expect(FakeSocket.made).toHaveLength(before + 1)
  FakeSocket.made.at(-1)?.onclose?.({ code: 1006, reason: '' })
  hurry()
  expect(FakeSocket.made).toHaveLength(before + 1)
  channel.close()
  await vi.advanceTimersByTimeAsync(60_000)
  hurry()
  expect(FakeSocket.made).toHaveLength(before + 1)
})

test('closed by us: nothing follows', async () => {
  const closed = vi.fn()
  const channel = openChannel(() => '/ws/x', { onClose: closed }, { retry: true })
  channel.close()
  FakeSocket.made[0]?.onclose?.({ code: 1006, reason: '' })
  await vi.advanceTimersByTimeAsync(60_000)
  expect(closed).not.toHaveBeenCalled()
  expect(FakeSocket.made).toHaveLength(1)
})
