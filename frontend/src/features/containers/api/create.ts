import { post } from '@/lib/api'
import type { Order } from '@/lib/types'

export interface ContainerCreate {
  host: string
  image: string
  pull: string
  name?: string
  start: boolean
  spec: Record<string, unknown>
  not_after?: string
}

export const createContainer = (body: ContainerCreate, key: string): Promise<Order> => post<Order>('/api/containers/', body, { key })
