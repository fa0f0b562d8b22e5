import { newKey, post } from '@/lib/api'
import type { components } from '@/lib/schema'
import type { Order } from '@/lib/types'

export const PRUNE_KINDS = ['containers', 'images', 'networks'] as const

export type Reclaimable = components['schemas']['PruneAnswer']

export const wouldPrune = (id: string, kinds: string[]): Promise<Reclaimable> => post<Reclaimable>(`/api/hosts/${id}/prune/`, { kinds, dry_run: true })

export const pruneHost = (id: string, kinds: string[], extra: { not_after?: string }, key: string = newKey()): Promise<Order> => post<Order>(`/api/hosts/${id}/prune/`, { kinds, ...extra }, { key })
