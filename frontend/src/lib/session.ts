/** Sign-in by allauth headless (browser client), which has its own answers. */
import { get, Problem, request } from './api'

const AUTH = '/api/auth/browser/v1'

export type SignIn = { kind: 'done' } | { kind: 'wrong' } | { kind: 'wait'; seconds: number } | { kind: 'error'; words: string }

/** Sets the CSRF cookie where the page did not bring it. */
export const prepare = (): Promise<unknown> => get(`${AUTH}/config`).catch(() => undefined)

export async function signIn(login: string, password: string): Promise<SignIn> {
  try {
    await request('POST', `${AUTH}/auth/login`, { body: { [login.includes('@') ? 'email' : 'username']: login, password } })
    return { kind: 'done' }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    if (error.status === 409) return { kind: 'done' }
    if (error.status === 429) return { kind: 'wait', seconds: error.retryAfter ?? 60 }
    if (error.status === 400 || error.status === 401) return { kind: 'wrong' }
    return { kind: 'error', words: error.message }
  }
}

