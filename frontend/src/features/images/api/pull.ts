import { post } from '@/lib/api'
import type { Order, OrderBatch } from '@/lib/types'

export interface Pull {
  hosts: string[]
  reference: string
  platform?: string
  credential?: { username: string; password: string }
  not_after?: string
}

/** One order a host. */
export const pullImage = (body: Pull, key: string): Promise<Order | OrderBatch> => post<Order | OrderBatch>('/api/images/pull/', body, { key })

/** The first order of an answer that may be one or many. */
export const firstOrder = (answer: Order | OrderBatch): Order => {
  if (!('orders' in answer)) return answer
  const [first] = answer.orders
  if (!first) throw new Error('no order was made')
  return first
}
