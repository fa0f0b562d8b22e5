import { newKey, post } from '@/lib/api'
import type { Order } from '@/lib/types'

export const PRUNE_KINDS = ['containers', 'images', 'networks'] as const

export interface Reclaimable {
  reclaimable?: Record<string, { count?: number; bytes?: number; items?: string[] } | number>
  total?: number
}

export const wouldPrune = (id: string, kinds: string[]): Promise<Reclaimable> => post<Reclaimable>(`/api/hosts/${id}/prune/`, { kinds, dry_run: true })

export const pruneHost = (id: string, kinds: string[], extra: { not_after?: string }, key: string = newKey()): Promise<Order> => post<Order>(`/api/hosts/${id}/prune/`, { kinds, ...extra }, { key })
