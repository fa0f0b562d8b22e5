import { newKey, request } from '@/lib/api'
import type { HostDetail } from '@/lib/types'

export interface HostChange {
  name?: string
  labels?: Record<string, string>
}

/** Name and labels: they are the control plane's own, so no host is asked. */
export const changeHost = (id: string, change: HostChange): Promise<HostDetail> => request<HostDetail>('PATCH', `/api/hosts/${id}/`, { body: change, key: newKey() })
