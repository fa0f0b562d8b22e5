import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

export const inspectQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('containers', id, 'inspect'),
    queryFn: ({ signal }) => get<components['schemas']['Inspect']>(`/api/containers/${id}/inspect/`, undefined, signal),
    retry: false,
  })
