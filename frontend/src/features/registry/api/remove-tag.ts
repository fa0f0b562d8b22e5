import { newKey, request } from '@/lib/api'

export const removeTag = (id: string, tag: string): Promise<void> => request<undefined>('DELETE', `/api/repositories/${id}/tags/${encodeURIComponent(tag)}/`, { key: newKey() })
