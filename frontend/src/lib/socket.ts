/**
 * A WebSocket that comes back: full jitter from 0.5 s to 30 s, reset after 10 s of health, silent while hidden or offline.
 * A sign of life of the server, by another way, ends the wait.
 */
const PROTOCOL = 'longshore.v1'
const FIRST_DELAY = 500
const LAST_DELAY = 30_000
const HEALTHY_AFTER = 10_000
/** Signs of life may come by the dozen. */
const HURRY_PAUSE = 2_000

export const CLOSE = { badMessage: 4400, signedOut: 4401, denied: 4403, notFound: 4404, wrongState: 4409, gone: 4410, hostOffline: 4503, restart: 1012 } as const
/** After these nothing is to be had from another attempt; 1000 is an end that both sides meant. */
const FINAL: readonly number[] = [1000, 4400, 4401, 4403, 4404, 4409, 4410]

export interface Message {
  type: string
  [field: string]: unknown
}

export interface Handlers {
  onOpen?: () => void
  onMessage?: (message: Message) => void
  onBytes?: (bytes: Uint8Array<ArrayBuffer>) => void
  /** `again`: another attempt follows by itself. */
  onClose?: (code: number, reason: string, again: boolean) => void
}

export interface Channel {
  send: (message: Message) => void
  sendBytes: (bytes: Uint8Array<ArrayBuffer>) => void
  close: () => void
}

const waiting = new Set<() => void>()
let hurriedAt = -HURRY_PAUSE

/** The server answers: what waits to connect again does so now. */
export function hurry(): void {
  if (waiting.size === 0 || performance.now() - hurriedAt < HURRY_PAUSE) return
  hurriedAt = performance.now()
  for (const go of [...waiting]) go()
}

export function backoff(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(LAST_DELAY, FIRST_DELAY * 2 ** attempt)
}

/** `path` is asked at each attempt, so that a resumed stream can name where it stopped. */
export function openChannel(path: () => string, handlers: Handlers, { retry = false } = {}): Channel {
  let socket: WebSocket | undefined
  let stopWaiting = (): void => undefined
  let attempt = 0
  let closed = false

  function open(): void {
    const opened = new WebSocket(location.origin.replace(/^http/, 'ws') + path(), PROTOCOL)
    let since = Infinity
    socket = opened
    opened.binaryType = 'arraybuffer'
    opened.onopen = () => {
      since = Date.now()
      handlers.onOpen?.()
    }
    opened.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (typeof event.data === 'string') handlers.onMessage?.(JSON.parse(event.data) as Message)
      else handlers.onBytes?.(new Uint8Array(event.data))
    }
    opened.onclose = (event) => {
      if (socket !== opened) return
      if (Date.now() - since > HEALTHY_AFTER) attempt = 0
      const again = retry && !closed && !FINAL.includes(event.code)
      handlers.onClose?.(event.code, event.reason, again)
      if (again) wait()
    }
  }

  function wait(): void {
    const ready = (): boolean => !document.hidden && navigator.onLine
    let due = false
    stopWaiting = () => {
      clearTimeout(timer)
      waiting.delete(onSign)
      document.removeEventListener('visibilitychange', onReady)
      removeEventListener('online', onReady)
    }
    const go = (): void => {
      stopWaiting()
      open()
    }
    const onReady = (): void => {
      if (due && ready()) go()
    }
    const onSign = (): void => {
      if (ready()) go()
    }
    waiting.add(onSign)
    document.addEventListener('visibilitychange', onReady)
    addEventListener('online', onReady)
    const timer = setTimeout(() => {
      due = true
      onReady()
    }, backoff(attempt))
    attempt += 1
  }

  open()
  return {
    send: (message) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    },
    sendBytes: (bytes) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(bytes)
    },
    close: () => {
      closed = true
      stopWaiting()
      const leaving = socket
      socket = undefined
      leaving?.close(1000)
    },
  }
}
