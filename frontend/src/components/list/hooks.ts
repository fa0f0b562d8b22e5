import { useRef, useState } from 'react'

import type { Row } from '@/lib/types'

export interface Selection<T> {
  ids: ReadonlySet<string>
  rows: T[]
  toggle: (row: T, range: boolean, all: T[]) => void
  toggleAll: (rows: T[]) => void
  clear: () => void
}

/** By id: survives refetch and live change; rows that a filter hides stay selected. */
export function useSelection<T extends Row>(shown: T[]): Selection<T> {
  const [kept, setKept] = useState<ReadonlyMap<string, T>>(new Map())
  const last = useRef<string | undefined>(undefined)
  const now = new Map(shown.map((row) => [row.id, row]))
  return {
    ids: new Set(kept.keys()),
    rows: [...kept].map(([id, row]) => now.get(id) ?? row),
    toggle(row, range, all) {
      const next = new Map(kept)
      const on = !next.has(row.id)
      const from = all.findIndex((item) => item.id === last.current)
      const to = all.findIndex((item) => item.id === row.id)
      const touched = range && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [row]
      for (const item of touched) {
        if (on) next.set(item.id, item)
        else next.delete(item.id)
      }
      last.current = row.id
      setKept(next)
    },
    toggleAll(rows) {
      const every = rows.every((row) => kept.has(row.id))
      setKept(every ? new Map() : new Map([...kept, ...rows.map((row) => [row.id, row] as const)]))
    },
    clear: () => { setKept(new Map()); },
  }
}

/** While `frozen`, rows keep their places: changed ones change in place, new ones come last, gone ones leave. */
export function useStableOrder<T extends Row>(rows: T[], frozen: boolean): T[] {
  const order = useRef<string[]>([])
  if (!frozen) {
    order.current = rows.map((row) => row.id)
    return rows
  }
  const place = new Map(order.current.map((id, at) => [id, at]))
  const sorted = [...rows].sort((a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity))
  order.current = sorted.map((row) => row.id)
  return sorted
}
