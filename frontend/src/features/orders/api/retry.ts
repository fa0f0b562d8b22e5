import { newKey, post } from '@/lib/api'
import type { Order } from '@/lib/types'

/** The same again, as a new order. */
export const retryOrder = (id: string): Promise<Order> => post<Order>(`/api/orders/${id}/retry/`, {}, { key: newKey() })
