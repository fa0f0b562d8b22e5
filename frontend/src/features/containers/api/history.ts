import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

export type HistoryItem = components['schemas']['HistoryItem']
type History = components['schemas']['History']

export const historyQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('containers', id, 'history'),
    queryFn: ({ signal }) => get<History>(`/api/containers/${id}/history/`, undefined, signal),
  })
