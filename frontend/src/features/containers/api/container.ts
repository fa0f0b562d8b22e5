import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { ContainerDetail } from '@/lib/types'

export const containerQuery = (id: string) =>
  queryOptions({ queryKey: keys.detail('containers', id), queryFn: ({ signal }) => get<ContainerDetail>(`/api/containers/${id}/`, undefined, signal) })
