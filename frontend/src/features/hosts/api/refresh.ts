import { post } from '@/lib/api'
import type { Order } from '@/lib/types'

export const refreshHost = (id: string, extra: { not_after?: string }, key: string): Promise<Order> => post<Order>(`/api/hosts/${id}/refresh/`, extra, { key })
