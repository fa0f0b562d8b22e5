import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { serverNow } from '@/lib/clock'
import { keys } from '@/lib/keys'
import type { components } from '@/lib/schema'

const HOUR = 3_600_000

/** The last hour; asked for again as the host reports. */
export const hostStatsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('hosts', id, 'stats'),
    queryFn: async ({ signal }) => {
      const to = serverNow()
      const from = to - HOUR
      const series = await get<components['schemas']['Series']>(`/api/hosts/${id}/stats/`, { from: new Date(from).toISOString() }, signal)
      return { ...series, from: from / 1000, to: to / 1000 }
    },
  })
