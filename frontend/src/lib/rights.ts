/** Rights as the server counts them; the page only greys out what would be refused. */
import { t } from '@lingui/core/macro'
import { queryOptions, useQuery } from '@tanstack/react-query'

import { get } from './api'
import { keys } from './keys'
import type { Me } from './types'

export const meQuery = queryOptions({ queryKey: keys.me, queryFn: ({ signal }) => get<Me>('/api/me/', undefined, signal), staleTime: Infinity })

export const useMe = (): Me | undefined => useQuery(meQuery).data

/** Whether the right is held at all; objects carry their own list. */
export function useRight(right: string): boolean {
  const rights = useMe()?.rights
  return rights?.includes(right) ?? true
}

/** Why a verb is refused on one object, or undefined when it is not. */
export function missing(right: string, rights: string[] | undefined, host?: string): string | undefined {
  if (!rights || rights.includes(right)) return undefined
  return host ? t`Needs ${right} on ${host}` : t`Needs ${right}`
}
