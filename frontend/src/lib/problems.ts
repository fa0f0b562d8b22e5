/** What a refusal says to a person. */
import { t } from '@lingui/core/macro'

import { Problem } from './api'

/** One sentence: what went wrong. The API's `detail` is the fallback in English. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Problem)) return error instanceof Error ? error.message : String(error)
  if (error.status === 0) return t`No answer from the server.`
  return error.body.detail ?? error.body.title ?? t`The server answered ${error.status}.`
}

/** Pointer → words, for the fields of a form. */
export function fieldErrors(error: unknown): Record<string, string> {
  if (!(error instanceof Problem)) return {}
  return Object.fromEntries((error.body.errors ?? []).map((item) => [item.pointer, item.detail]))
}

export const isGone = (error: unknown): boolean => error instanceof Problem && (error.status === 404 || error.status === 410)
export const isDenied = (error: unknown): boolean => error instanceof Problem && error.status === 403
