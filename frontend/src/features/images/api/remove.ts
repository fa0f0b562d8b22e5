import { request } from '@/lib/api'
import type { Order } from '@/lib/types'

import type { OrderBatch } from './pull'

export const removeImage = (id: string, hosts: string[], extra: { not_after?: string }, key: string): Promise<Order | OrderBatch> =>
  request<Order | OrderBatch>('DELETE', `/api/images/${id}/`, { key, params: { hosts, ...extra } })
