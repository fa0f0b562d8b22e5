import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'

export interface User {
  id: string
  name: string
  state?: string
  host?: { name: string } | string
}

export const usedByQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('images', id, 'used-by'),
    queryFn: ({ signal }) => get<User[] | { results: User[] }>(`/api/images/${id}/used-by/`, undefined, signal),
    retry: false,
  })
