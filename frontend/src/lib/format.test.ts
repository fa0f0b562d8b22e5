import { expect, test } from 'vitest'

import { ago, bytes, duration, percent, splitReference } from './format'

test.each([[0, '0 B'], [999, '999 B'], [1000, '0.98 KiB'], [1_299_227_607, '1.21 GiB'], [100_663_296, '96.0 MiB'], [432_013_312, '412 MiB'], [null, '–']])('%s bytes are %s', (value, words) => {
  expect(bytes(value)).toBe(words)
})
test.each([[7440, '2 h 04 min'], [1860, '31 min'], [72, '1 min 12 s'], [12, '12 s'], [3.64, '3.6 s'], [93_600, '1 d 02 h'], [3_542_400, '41 d']])('%s s are %s', (value, words) => {
  expect(duration(value)).toBe(words)
})
test('ages count to seven days', () => {
  const now = Date.parse('2026-11-24T12:00:00Z')
  expect(ago('2026-11-24T11:57:00Z', now)).toBe('3 min ago')
  expect(ago('2026-11-24T12:00:05Z', now)).toBe('now')
  expect(ago('2026-11-01T12:00:00Z', now)).toMatch(/^1 Nov/)
})
test('a percentage has one decimal', () => {
  expect(percent(12.345)).toBe('12.3 %')
})
test.each([
  ['nginx', 'nginx', ''],
  ['localhost:5000/app', 'localhost:5000/app', ''],
  ['localhost:5000/app:1.2', 'localhost:5000/app', ':1.2'],
  ['app@sha256:9f21c07be41a00', 'app', '@9f21c07be41a'],
])('%s has its tag apart', (reference, repository, tag) => {
  expect(splitReference(reference)).toEqual({ repository, tag })
})
