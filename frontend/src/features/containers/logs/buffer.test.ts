import { describe, expect, test } from 'vitest'

import { findLines, LogBuffer } from './buffer'

const line = (text: string, at = '2026-01-01T00:00:00Z') => ({ at, stream: 'o' as const, text })

describe('the ring', () => {
  test('keeps the newest and counts what left', () => {
    const buffer = new LogBuffer(100)
    buffer.push(Array.from({ length: 150 }, (_, n) => line(String(n))))
    expect(buffer.lines.length).toBeLessThanOrEqual(100)
    expect(buffer.lines.at(-1)?.text).toBe('149')
    expect(buffer.dropped + buffer.lines.length).toBe(150)
    expect(buffer.total).toBe(150)
  })
  test('resumes after the last time, past the lines of that time already seen', () => {
    const buffer = new LogBuffer()
    expect(buffer.resume()).toBeUndefined()
    buffer.push([line('a', 't1'), line('b', 't2'), line('c', 't2')])
    buffer.push([{ at: 't9', stream: 'mark', text: 'restarted' }])
    expect(buffer.resume()).toBe('t2~2')
  })
})

describe('older lines', () => {
  test('come before the first, without a gap or a repeat', () => {
    const buffer = new LogBuffer()
    buffer.push([line('c', 't2'), line('d', 't2'), line('e', 't3')])
    expect(buffer.oldest()).toEqual({ at: 't2', loaded: 3 })
    expect(buffer.prepend([line('a', 't1'), line('b', 't2'), line('c', 't2'), line('d', 't2')])).toBe(2)
    expect(buffer.lines.map((item) => item.text).join('')).toBe('abcde')
    expect(buffer.lines.map((item) => item.n)).toEqual([-1, 0, 1, 2, 3])
    expect(buffer.prepend([line('a', 't1')])).toBe(0)
  })
  test('all of one time', () => {
    const buffer = new LogBuffer()
    buffer.push([line('b'), line('c')])
    expect(buffer.prepend([line('a'), line('b'), line('c')])).toBe(1)
    expect(buffer.lines.map((item) => item.text).join('')).toBe('abc')
  })
  test('none once the ring has let lines go', () => {
    const buffer = new LogBuffer(10)
    buffer.push(Array.from({ length: 20 }, (_, n) => line(String(n))))
    expect(buffer.oldest()).toBeUndefined()
    expect(buffer.prepend([line('x')])).toBe(0)
  })
})

test('search sees the text, not its colours', () => {
  const buffer = new LogBuffer()
  buffer.push([line('plain'), line('ex\u001b[31mport\u001b[0m done'), line('EXPORT')])
  expect(findLines(buffer.lines, 'export')).toEqual([1, 2])
})
