import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Tag } from '@/lib/types'

export const tagsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('repositories', id, 'tags'),
    queryFn: ({ signal }) => get<Tag[] | { results: Tag[] }>(`/api/repositories/${id}/tags/`, undefined, signal),
  })
