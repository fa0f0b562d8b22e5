import { queryOptions } from '@tanstack/react-query'

import { get } from '@/lib/api'
import { keys } from '@/lib/keys'
import type { Volume } from '@/lib/types'

export const volumeQuery = (id: string) => queryOptions({ queryKey: keys.detail('volumes', id), queryFn: ({ signal }) => get<Volume>(`/api/volumes/${id}/`, undefined, signal) })
