/** Sign-in by allauth headless (browser client), which has its own answers. */
import { get, Problem, request } from './api'

const AUTH = '/api/auth/browser/v1'

interface AuthBody {
  status?: number
  data?: { flows?: { id: string; is_pending?: boolean }[] }
  errors?: { code: string; message: string; param?: string }[]
}

export type SignIn = { kind: 'done' } | { kind: 'code' } | { kind: 'wrong' } | { kind: 'wait'; seconds: number } | { kind: 'error'; words: string }

/** Sets the CSRF cookie where the page did not bring it. */
export const prepare = (): Promise<unknown> => get(`${AUTH}/config`).catch(() => undefined)

async function attempt(path: string, body: unknown): Promise<SignIn> {
  try {
    await request('POST', `${AUTH}${path}`, { body })
    return { kind: 'done' }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    const answer = error.body as AuthBody & Problem['body']
    if (error.status === 401 && answer.data?.flows?.some((flow) => flow.id === 'mfa_authenticate' && flow.is_pending)) return { kind: 'code' }
    if (error.status === 409) return { kind: 'done' }
    if (error.status === 429) return { kind: 'wait', seconds: Number(answer.params?.retry_after ?? 60) }
    if (error.status === 400 || error.status === 401) return { kind: 'wrong' }
    return { kind: 'error', words: error.message }
  }
}

export const signIn = (login: string, password: string): Promise<SignIn> => attempt('/auth/login', { [login.includes('@') ? 'email' : 'username']: login, password })

export const sendCode = (code: string): Promise<SignIn> => attempt('/auth/2fa/authenticate', { code })
