import { expect, test } from 'vitest'

import { columns, pointOf, topOf } from './series'

const at = (second: number): string => new Date(second * 1000).toISOString()
const point = (second: number, net_rx: number) => ({ at: at(second), cpu_percent: 1, memory_bytes: 2, net_rx, net_tx: 0 })

test('counters become rates over the time that passed', () => {
  const made = columns([point(0, 0), point(10, 1000), point(20, 1500)], { stored: 'counters', gap: 30 })
  expect(made.received).toEqual([null, 100, 50])
})

test('a counter that fell and a time without samples are gaps, not zero', () => {
  const made = columns([point(0, 1000), point(10, 0), point(100, 50)], { stored: 'counters', gap: 30 })
  expect(made.received).toEqual([null, null, null, null])
  expect(made.cpu).toEqual([1, 1, null, 1])
})

test('the same moment twice counts once', () => {
  expect(columns([point(5, 1), point(5, 1)], { stored: 'counters', gap: 30 }).times).toEqual([5])
})

test('a live sample sums its interfaces', () => {
  expect(pointOf({ at: at(1), cpu_percent: 3, memory_bytes: 4, net: { eth0: [1, 2], eth1: [10, 20] } })).toMatchObject({ net_rx: 11, net_tx: 22 })
})

test('an axis has room above its highest value, and for ticks that differ', () => {
  expect([topOf(null), topOf(0), topOf(0.1), topOf(100)]).toEqual([1, 1, 1, 108])
})
