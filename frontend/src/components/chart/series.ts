/** Samples as columns of one time axis: history first, then what comes live. Gaps are gaps. */
import type { components } from '@/lib/schema'

type Point = components['schemas']['Point']
/** What the charts draw of a stored or a live sample; a gap is null. */
export type StatsPoint = Pick<Point, 'at' | 'cpu_percent' | 'memory_bytes'> & Partial<Pick<Point, 'memory_limit' | 'net_rx' | 'net_tx'>>

export interface Columns {
  times: number[]
  cpu: (number | null)[]
  memory: (number | null)[]
  limit: (number | null)[]
  received: (number | null)[]
  sent: (number | null)[]
}

interface Sample {
  at: string
  cpu_percent: number | null
  memory_bytes: number | null
  memory_limit?: number | null
  net?: Record<string, [number, number]>
}

/** A live sample in the shape of the stored ones: the network is the sum of the interfaces. */
export function pointOf(sample: Sample): StatsPoint {
  const links = Object.values(sample.net ?? {})
  return {
    at: sample.at,
    cpu_percent: sample.cpu_percent,
    memory_bytes: sample.memory_bytes,
    memory_limit: sample.memory_limit ?? null,
    net_rx: links.reduce((sum, link) => sum + link[0], 0),
    net_tx: links.reduce((sum, link) => sum + link[1], 0),
  }
}

/** Counters of the network become rates; a counter that fell (a restart) makes a gap. `gap`: seconds without a sample. */
export function columns(points: StatsPoint[], { stored, gap }: { stored: 'rates' | 'counters'; gap: number }): Columns {
  const out: Columns = { times: [], cpu: [], memory: [], limit: [], received: [], sent: [] }
  let before: { time: number; point: StatsPoint } | undefined
  for (const point of points) {
    const time = Date.parse(point.at) / 1000
    if (before && time <= before.time) continue
    const passed = before ? time - before.time : 0
    if (before && passed > gap) push(out, before.time + gap / 2, { at: '', cpu_percent: null, memory_bytes: null }, null, null)
    const close = before && passed <= gap ? before.point : undefined
    const rate = (now: number | null | undefined, then: number | null | undefined): number | null =>
      stored === 'rates' ? (now ?? null) : close && now != null && then != null && now >= then ? (now - then) / passed : null
    push(out, time, point, rate(point.net_rx, close?.net_rx), rate(point.net_tx, close?.net_tx))
    before = { time, point }
  }
  return out
}

function push(out: Columns, time: number, point: StatsPoint, received: number | null, sent: number | null): void {
  out.times.push(time)
  out.cpu.push(point.cpu_percent)
  out.memory.push(point.memory_bytes)
  out.limit.push(point.memory_limit ?? null)
  out.received.push(received)
  out.sent.push(sent)
}

/** Where the axis ends: a little above the highest value, and never so low that two ticks read the same. */
export const topOf = (max: number | null): number => Math.max(1, (max ?? 0) * 1.08)
