import { post } from '@/lib/api'
import type { Order, OrderBatch } from '@/lib/types'

export interface Build {
  hosts: string[]
  dockerfile_text: string
  tags: string[]
  target?: string
  build_args?: Record<string, string>
  no_cache?: boolean
  pull?: boolean
  not_after?: string
}

export const buildImage = (body: Build, key: string): Promise<Order | OrderBatch> => post<Order | OrderBatch>('/api/images/build/', body, { key })
