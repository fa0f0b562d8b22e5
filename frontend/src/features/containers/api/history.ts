import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'

/** An order, an event or an exit, newest first. */
export interface HistoryItem {
  at: string
  kind?: string
  type?: string
  action?: string
  op?: string
  state?: string
  exit_code?: number | null
  id?: string | null
  order?: string | { id: string } | null
  actor?: string | { name: string } | null
  detail?: string
  text?: string
}

export const historyQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('containers', id, 'history'),
    queryFn: ({ signal }) => get<{ results: HistoryItem[] }>(`/api/containers/${id}/history/`, undefined, signal),
  })
