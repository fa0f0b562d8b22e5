import { newKey, post } from '@/lib/api'
import type { ApiToken } from '@/lib/types'

export interface TokenCreate {
  name: string
  scopes: string[]
  expires_at: string
}

/** The token itself is in this answer only. */
export const createToken = (body: TokenCreate): Promise<ApiToken & { token: string }> => post('/api/tokens/', body, { key: newKey() })
