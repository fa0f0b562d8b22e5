/** The counts and what needs attention: Home and the side bar read the same answer. */
import { queryOptions, useQuery, type UseQueryResult } from '@tanstack/react-query'

import { get } from './api'
import { useConnection } from './connection'
import { keys } from './keys'
import type { Summary } from './types'

export const summaryQuery = queryOptions({ queryKey: keys.summary, queryFn: ({ signal }) => get<Summary>('/api/summary/', undefined, signal) })

export function useSummary(): UseQueryResult<Summary> {
  const live = useConnection().status === 'connected'
  return useQuery({ ...summaryQuery, refetchInterval: live ? false : 15_000 })
}
