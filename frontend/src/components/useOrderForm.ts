/** A short form that becomes an order: its draft, what is wrong with it, what the server refused. */
import { useState } from 'react'

import { Problem } from '@/lib/api'
import { wordsOf } from '@/lib/problems'

import type { FormProblem } from './Form'

export interface OrderForm<T> {
  draft: T
  set: (change: Partial<T>) => void
  problems: FormProblem[]
  errors: Record<string, string>
  round: number
  busy: boolean
  submit: (send: () => Promise<void>) => void
  refuse: (error: unknown) => void
}

/** `fields`: pointer's beginning → the field's id, first match wins. */
export function useOrderForm<T extends object>(empty: T, fields: [string, string][], check: (draft: T) => FormProblem[]): OrderForm<T> {
  const [draft, setDraft] = useState(empty)
  const [asked, setAsked] = useState(false)
  const [refused, setRefused] = useState<FormProblem[]>([])
  const [round, setRound] = useState(0)
  const [busy, setBusy] = useState(false)
  const own = check(draft)
  const problems = asked ? [...own, ...refused] : refused
  return {
    draft,
    problems,
    round,
    busy,
    errors: Object.fromEntries(problems.map((item) => [item.id, item.words])),
    set(change) {
      setDraft((before) => ({ ...before, ...change }))
      setRefused([])
    },
    submit(send) {
      setAsked(true)
      setRound((before) => before + 1)
      if (own.length > 0 || busy) return
      setBusy(true)
      void send().finally(() => { setBusy(false); })
    },
    refuse(error) {
      const items = error instanceof Problem ? (error.body.errors ?? []).map((item) => ({ id: fields.find(([pointer]) => item.pointer.startsWith(pointer))?.[1] ?? '', words: item.detail })) : []
      setRefused(items.length > 0 ? items : [{ id: '', words: wordsOf(error) }])
      setRound((before) => before + 1)
    },
  }
}
