import { expect, test } from 'vitest'

import { NOTHING, take } from './progress'

const line = (n: number) => ({ type: 'line', n, at: 't', step: '', text: `line ${String(n)}` })

test('a line that comes twice stands once', () => {
  const twice = [line(1), line(2), line(2)].reduce(take, NOTHING)
  expect(twice.lines.map((item) => item.n)).toEqual([1, 2])
})

test('layers keep their places as they move on', () => {
  const first = take(NOTHING, { type: 'layers', layers: [{ id: 'a', phase: 'waiting', current: 0, total: 9 }, { id: 'b', phase: 'waiting', current: 0, total: 9 }] })
  const after = take(first, { type: 'layers', layers: [{ id: 'b', phase: 'done', current: 9, total: 9 }] })
  expect(after.layers.map((layer) => `${layer.id} ${layer.phase}`)).toEqual(['a waiting', 'b done'])
})

test('steps are merged by number', () => {
  const first = take(NOTHING, { type: 'steps', steps: [{ n: 2, name: 'RUN x', state: 'running' }, { n: 1, name: 'FROM y', state: 'done', cached: true }] })
  const after = take(first, { type: 'steps', steps: [{ n: 2, name: 'RUN x', state: 'done', ms: 5 }] })
  expect(after.steps.map((step) => `${String(step.n)} ${step.state}`)).toEqual(['1 done', '2 done'])
})
