import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

export const usedByQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('images', id, 'used-by'),
    queryFn: ({ signal }) => get<components['schemas']['Users']>(`/api/images/${id}/used-by/`, undefined, signal),
    retry: false,
  })
