import { request } from '@/lib/api'

export const revokeToken = (id: string): Promise<void> => request<undefined>('DELETE', `/api/tokens/${id}/`)
