import { request } from '@/lib/api'
import type { Order, OrderBatch } from '@/lib/types'

export const removeImage = (id: string, hosts: string[], extra: { not_after?: string }, key: string): Promise<Order | OrderBatch> =>
  request<Order | OrderBatch>('DELETE', `/api/images/${id}/`, { key, params: { hosts, ...extra } })
