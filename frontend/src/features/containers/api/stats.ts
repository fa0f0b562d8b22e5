import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

type Series = components['schemas']['Series']

export const statsQuery = (id: string, from: string) =>
  queryOptions({
    queryKey: [...keys.part('containers', id, 'stats'), from],
    queryFn: ({ signal }) => get<Series>(`/api/containers/${id}/stats/`, { from }, signal),
    staleTime: Infinity,
  })
