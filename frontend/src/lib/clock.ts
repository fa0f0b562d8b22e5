/** The server's time: relative times tick every 30 s and never trust the browser's own clock. */
import { useSyncExternalStore } from 'react'

let offset = 0
let minute = Date.now()
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

export function setServerTime(iso: string): void {
  const server = Date.parse(iso)
  if (Number.isNaN(server)) return
  offset = server - Date.now()
  tick()
}

export const serverNow = (): number => Date.now() + offset

function tick(): void {
  minute = serverNow()
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  timer ??= setInterval(tick, 30_000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** The server's now, anew every 30 s. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => minute)
