import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { HostDetail } from '@/lib/types'

export const hostQuery = (id: string) => queryOptions({ queryKey: keys.detail('hosts', id), queryFn: ({ signal }) => get<HostDetail>(`/api/hosts/${id}/`, undefined, signal) })
