import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Image } from '@/lib/types'

export const imageQuery = (id: string) => queryOptions({ queryKey: keys.detail('images', id), queryFn: ({ signal }) => get<Image>(`/api/images/${id}/`, undefined, signal) })
