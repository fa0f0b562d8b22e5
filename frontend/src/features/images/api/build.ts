import { post } from '@/lib/api'
import type { Order, OrderBatch } from '@/lib/types'

export interface Build {
  hosts: string[]
  /** The whole Dockerfile; with a context, the path of the one inside is `dockerfile`. */
  dockerfile_text?: string
  dockerfile?: string
  tags: string[]
  target?: string
  build_args?: Record<string, string>
  no_cache?: boolean
  pull?: boolean
  not_after?: string
}

/** With a context the form goes as one part of a multipart body, the archive as the other. */
export function buildImage(body: Build, context: File | null, key: string): Promise<Order | OrderBatch> {
  if (!context) return post<Order | OrderBatch>('/api/images/build/', body, { key })
  const parts = new FormData()
  parts.append('form', JSON.stringify(body))
  parts.append('context', context)
  return post<Order | OrderBatch>('/api/images/build/', parts, { key })
}
