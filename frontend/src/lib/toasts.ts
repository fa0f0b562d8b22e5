/** At most three notes at the edge of the page: success leaves after 5 s, failure stays. */
import { createStore } from './store'

export interface Toast {
  id: number
  kind: 'ok' | 'bad' | 'busy'
  title: string
  detail?: string
  link?: string
}

const MOST = 3
const SHORT = 5_000
export const toasts = createStore<Toast[]>([])
let last = 0

export function toast(what: Omit<Toast, 'id'>): number {
  last += 1
  const id = last
  toasts.set((before) => [...before, { ...what, id }].slice(-MOST))
  if (what.kind === 'ok') setTimeout(() => { dismiss(id); }, SHORT)
  return id
}

export function dismiss(id: number): void {
  toasts.set((before) => before.filter((item) => item.id !== id))
}
