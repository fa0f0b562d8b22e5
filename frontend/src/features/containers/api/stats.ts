import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'

/** Series over one common time axis; a gap is null. */
export interface StatsHistory {
  step: number
  points?: StatsPoint[]
  results?: StatsPoint[]
  series?: StatsPoint[]
}

export interface StatsPoint {
  at: string
  cpu_percent: number | null
  memory_bytes: number | null
  memory_limit?: number | null
  memory_cache?: number | null
  net_rx?: number | null
  net_tx?: number | null
  pids?: number | null
}

export const statsQuery = (id: string, from: string) =>
  queryOptions({
    queryKey: [...keys.part('containers', id, 'stats'), from],
    queryFn: ({ signal }) => get<StatsHistory>(`/api/containers/${id}/stats/`, { from }, signal),
    staleTime: Infinity,
  })

export const pointsOf = (history: StatsHistory | undefined): StatsPoint[] => history?.points ?? history?.results ?? history?.series ?? []
