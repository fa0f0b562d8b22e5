import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'

export const inspectQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('containers', id, 'inspect'),
    queryFn: ({ signal }) => get<Record<string, unknown>>(`/api/containers/${id}/inspect/`, undefined, signal),
    retry: false,
  })
