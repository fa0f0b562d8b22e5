import { newKey, post } from '@/lib/api'
import type { Order } from '@/lib/types'

export interface Credential {
  username: string
  password: string
}

/** The same again, as a new order; a credential that the first one came with was not kept. */
export const retryOrder = (id: string, credential?: Credential): Promise<Order> =>
  post<Order>(`/api/orders/${id}/retry/`, credential ? { credential } : {}, { key: newKey() })
