/** Query keys: the first word is the API's plural noun, so that one event can reach all that shows a kind. */
import type { Params } from './api'

export const KINDS = ['containers', 'images', 'volumes', 'networks', 'hosts', 'orders', 'repositories', 'events', 'audit', 'tokens'] as const
export type Kind = (typeof KINDS)[number]

export const keys = {
  me: ['me'] as const,
  summary: ['summary'] as const,
  kind: (kind: Kind) => [kind] as const,
  lists: (kind: Kind) => [kind, 'list'] as const,
  list: (kind: Kind, params: Params) => [kind, 'list', params] as const,
  details: (kind: Kind) => [kind, 'detail'] as const,
  detail: (kind: Kind, id: string) => [kind, 'detail', id] as const,
  part: (kind: Kind, id: string, part: string) => [kind, 'detail', id, part] as const,
}
