/** What an order's socket tells: lines, layers of a pull, steps of a build. At most four updates a second reach the page. */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

import { queryString } from '@/lib/api'
import { keys } from '@/lib/keys'
import { type Message, openChannel } from '@/lib/socket'
import type { Order, OrderLine } from '@/lib/types'

export interface Layer {
  id: string
  phase: string
  current: number | null
  total: number | null
}

export interface Step {
  n: number
  name: string
  state: string
  cached?: boolean
  ms?: number | null
}

export interface Progress {
  lines: OrderLine[]
  layers: Layer[]
  steps: Step[]
}

const EVERY = 250
export const NOTHING: Progress = { lines: [], layers: [], steps: [] }

/** One message taken in; pure, so that the same messages always give the same page. */
export function take(before: Progress, message: Message): Progress {
  switch (message.type) {
    case 'line': {
      const line = message as unknown as OrderLine
      return before.lines.some((known) => known.n === line.n) ? before : { ...before, lines: [...before.lines, { n: line.n, at: line.at, step: line.step, text: line.text }] }
    }
    case 'layers': {
      const fresh = new Map((message.layers as Layer[]).map((layer) => [layer.id, layer]))
      const known = before.layers.map((layer) => fresh.get(layer.id) ?? layer)
      const added = [...fresh.values()].filter((layer) => !before.layers.some((item) => item.id === layer.id))
      return { ...before, layers: [...known, ...added] }
    }
    case 'steps':
      return { ...before, steps: mergeSteps(before.steps, message.steps as Step[]) }
    default:
      return before
  }
}

function mergeSteps(before: Step[], fresh: Step[]): Step[] {
  const all = new Map(before.map((step) => [step.n, step]))
  for (const step of fresh) all.set(step.n, { ...all.get(step.n), ...step })
  return [...all.values()].sort((a, b) => a.n - b.n)
}

export function useOrderProgress(id: string): Progress {
  const [progress, setProgress] = useState(NOTHING)
  const client = useQueryClient()
  useEffect(() => {
    let latest = NOTHING
    let timer: ReturnType<typeof setTimeout> | undefined
    const show = (): void => {
      timer ??= setTimeout(() => {
        timer = undefined
        setProgress(latest)
      }, EVERY)
    }
    const channel = openChannel(
      () => `/ws/orders/${id}${queryString({ after: latest.lines.at(-1)?.n ?? 0 })}`,
      {
        onMessage: (message) => {
          if (message.type === 'state') client.setQueryData<Order>(keys.detail('orders', id), (before) => before && { ...before, ...stateOf(message) })
          if (message.type === 'end') {
            void client.invalidateQueries({ queryKey: keys.detail('orders', id) })
            channel.close()
          }
          latest = take(latest, message)
          show()
        },
      },
      { retry: true },
    )
    return () => {
      clearTimeout(timer)
      channel.close()
    }
  }, [id, client])
  return progress
}

function stateOf(message: Message): Partial<Order> {
  const { state, progress } = message as unknown as Partial<Order>
  return { ...(state && { state }), ...(progress !== undefined && { progress }) }
}
