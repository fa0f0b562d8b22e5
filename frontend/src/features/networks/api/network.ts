import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Network } from '@/lib/types'

export const networkQuery = (id: string) => queryOptions({ queryKey: keys.detail('networks', id), queryFn: ({ signal }) => get<Network>(`/api/networks/${id}/`, undefined, signal) })
