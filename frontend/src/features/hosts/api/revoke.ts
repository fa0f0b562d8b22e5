import { newKey, post } from '@/lib/api'

export const revokeHost = (id: string, reason: string): Promise<unknown> => post(`/api/hosts/${id}/revoke/`, reason ? { reason } : {}, { key: newKey() })
