import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'

/** Docker's own words, from the engine of a host that has it. */
export interface LayerStep {
  CreatedBy?: string
  Size?: number
  created_by?: string
  size?: number
}

export const imageHistoryQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('images', id, 'history'),
    queryFn: ({ signal }) => get<LayerStep[] | { results: LayerStep[] }>(`/api/images/${id}/history/`, undefined, signal),
    retry: false,
  })
