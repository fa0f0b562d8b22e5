import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Order } from '@/lib/types'

export const orderQuery = (id: string) => queryOptions({ queryKey: keys.detail('orders', id), queryFn: ({ signal }) => get<Order>(`/api/orders/${id}/`, undefined, signal) })
