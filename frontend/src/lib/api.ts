/** One door to the REST API: cookies, CSRF, problem documents, idempotency keys. */
import type { Page, ProblemBody } from './types'

/** A refusal or failure as the API words it; `status` 0 means that no answer came. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly body: ProblemBody,
    /** Seconds, where the server named a time. */
    readonly retryAfter?: number,
  ) {
    super(body.detail ?? body.title ?? `HTTP ${String(status)}`)
  }
}

export type Params = Record<string, string | number | boolean | readonly string[] | null | undefined>

interface Options {
  body?: unknown
  params?: Params
  /** One key a press: a repeated request then has one effect. */
  key?: string
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
}

const expiredListeners = new Set<() => void>()

/** Called when the session is over; returns the way to stop listening. */
export function onSignedOut(listener: () => void): () => void {
  expiredListeners.add(listener)
  return () => expiredListeners.delete(listener)
}

export function saySignedOut(): void {
  for (const listener of expiredListeners) listener()
}

export function queryString(params: Params = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === null || value === '') continue
    for (const item of Array.isArray(value) ? value : [value]) search.append(name, String(item))
  }
  const text = search.toString()
  return text && `?${text}`
}

function cookie(name: string): string {
  return new RegExp(`(?:^|; )${name}=([^;]*)`).exec(document.cookie)?.[1] ?? ''
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers }
  const raw = options.body instanceof Blob || options.body instanceof FormData
  if (options.body !== undefined && !raw) headers['Content-Type'] = 'application/json'
  if (method !== 'GET') headers['X-CSRFToken'] = cookie('csrftoken')
  if (options.key) headers['Idempotency-Key'] = options.key
  let response: Response
  try {
    response = await fetch(path + queryString(options.params), {
      method,
      headers,
      credentials: 'same-origin',
      ...(options.body !== undefined && { body: raw ? (options.body as BodyInit) : JSON.stringify(options.body) }),
      ...(options.signal && { signal: options.signal }),
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new Problem(0, { code: 'no_answer' })
  }
  return read<T>(response, path)
}

async function read<T>(response: Response, path: string): Promise<T> {
  const type = response.headers.get('Content-Type') ?? ''
  const lines = type.startsWith('application/x-ndjson')
  const json = type.includes('json') && !lines
  if (response.ok) return (response.status === 204 ? undefined : lines ? await response.text() : json ? await response.json() : undefined) as T
  const body = json ? ((await response.json()) as ProblemBody) : {}
  if (response.status === 401 && !path.startsWith('/api/auth/')) saySignedOut()
  throw new Problem(response.status, { instance: response.headers.get('X-Request-ID') ?? '', ...body, status: response.status }, Number(response.headers.get('Retry-After')) || undefined)
}

export const get = <T>(path: string, params?: Params, signal?: AbortSignal): Promise<T> =>
  request<T>('GET', path, { ...(params && { params }), signal })

/** An answer that is text, line by line. */
export const getText = (path: string, params: Params): Promise<string> => request<string>('GET', path, { params, headers: { Accept: '*/*' } })

export const post = <T>(path: string, body: unknown = {}, options: Omit<Options, 'body'> = {}): Promise<T> =>
  request<T>('POST', path, { ...options, body })

/** The page after this one, by the address that the server gave. */
export function nextPage<T>(next: string, signal?: AbortSignal): Promise<Page<T>> {
  const url = new URL(next, location.origin)
  return get<Page<T>>(url.pathname + url.search, undefined, signal)
}

export const newKey = (): string => crypto.randomUUID()
