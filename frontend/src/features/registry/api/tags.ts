import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Page, Tag } from '@/lib/types'

export const tagsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.part('repositories', id, 'tags'),
    queryFn: ({ signal }) => get<Page<Tag>>(`/api/repositories/${id}/tags/`, { page_size: 500 }, signal),
  })
