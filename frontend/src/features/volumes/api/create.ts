import { post } from '@/lib/api'
import type { Order } from '@/lib/types'

export interface VolumeCreate {
  host: string
  name?: string
  driver?: string
  options?: Record<string, string>
  labels?: Record<string, string>
  not_after?: string
}

export const createVolume = (body: VolumeCreate, key: string): Promise<Order> => post<Order>('/api/volumes/', body, { key })
