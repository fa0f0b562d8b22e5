import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

export const imageHistoryQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('images', id, 'history'),
    queryFn: ({ signal }) => get<components['schemas']['Layers']>(`/api/images/${id}/history/`, undefined, signal),
    retry: false,
  })
