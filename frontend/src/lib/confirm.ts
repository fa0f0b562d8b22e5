/** Ask before what cannot be undone: one dialog, answered by a promise. */
import { createStore } from './store'

export interface Question {
  title: string
  /** What is lost, what is kept. */
  body?: string
  list?: string[]
  confirm: string
  danger?: boolean
  /** A box to tick, with its default. */
  check?: string
  /** The name to type where data dies. */
  type?: { label: string; name: string }
}

export interface Answer {
  checked: boolean
}

interface Open extends Question {
  answer: (answer: Answer | null) => void
}

export const question = createStore<Open | null>(null)

/** The answer, or null when it was cancelled. */
export function confirm(what: Question): Promise<Answer | null> {
  return new Promise((resolve) => {
    question.set({
      ...what,
      answer: (answer) => {
        question.set(null)
        resolve(answer)
      },
    })
  })
}
