import { post } from '@/lib/api'
import type { Order } from '@/lib/types'

export interface NetworkCreate {
  host: string
  name: string
  driver?: string
  subnets?: { subnet: string; gateway?: string }[]
  internal?: boolean
  labels?: Record<string, string>
  not_after?: string
}

export const createNetwork = (body: NetworkCreate, key: string): Promise<Order> => post<Order>('/api/networks/', body, { key })
