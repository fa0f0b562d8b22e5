import { newKey, post } from '@/lib/api'
import type { Order } from '@/lib/types'

export const cancelOrder = (id: string): Promise<Order> => post<Order>(`/api/orders/${id}/cancel/`, {}, { key: newKey() })
