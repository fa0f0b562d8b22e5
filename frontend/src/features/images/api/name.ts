import { post } from '@/lib/api'
import type { Order, OrderBatch } from '@/lib/types'

export interface Named {
  hosts: string[]
  reference: string
  credential?: { username: string; password: string }
  not_after?: string
}

/** One more name, or to the registry that the name says; one order a host. */
export const nameImage = (id: string, verb: 'tag' | 'push', body: Named, key: string): Promise<Order | OrderBatch> => post<Order | OrderBatch>(`/api/images/${id}/${verb}/`, body, { key })
