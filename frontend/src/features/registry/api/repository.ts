import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Page, Repository } from '@/lib/types'

/** By its id, out of the list: a repository has no page of its own in the API. */
export const repositoryQuery = (id: string) =>
  queryOptions({
    queryKey: keys.detail('repositories', id),
    queryFn: async ({ signal }) => (await get<Page<Repository>>('/api/repositories/', { id }, signal)).results[0] ?? null,
  })
