import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

type Series = components['schemas']['Series']

/** What the charts draw of a stored or a live sample; a gap is null. */
export type StatsPoint = Pick<Series['points'][number], 'at' | 'cpu_percent' | 'memory_bytes'> & Partial<Pick<Series['points'][number], 'memory_limit' | 'net_rx' | 'net_tx'>>

export const statsQuery = (id: string, from: string) =>
  queryOptions({
    queryKey: [...keys.part('containers', id, 'stats'), from],
    queryFn: ({ signal }) => get<Series>(`/api/containers/${id}/stats/`, { from }, signal),
    staleTime: Infinity,
  })
