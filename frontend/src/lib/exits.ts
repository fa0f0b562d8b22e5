/** Exit codes in words. */
import { t } from '@lingui/core/macro'

import type { LastExit } from './types'

const SIGNALS: Record<number, string> = { 1: 'SIGHUP', 2: 'SIGINT', 3: 'SIGQUIT', 4: 'SIGILL', 6: 'SIGABRT', 7: 'SIGBUS', 8: 'SIGFPE', 9: 'SIGKILL', 11: 'SIGSEGV', 13: 'SIGPIPE', 15: 'SIGTERM' }

export function exitTitle(exit: LastExit): string {
  if (exit.oom_killed) return t`out of memory`
  if (exit.code === null) return t`ended`
  return exit.code === 0 ? t`ended well` : t`exit ${exit.code}`
}

/** What a code means, for somebody who is half awake. */
export function exitWords(exit: LastExit): string {
  const code = exit.code
  if (exit.oom_killed) return t`The kernel killed it with SIGKILL (exit ${code ?? 137}) when it reached its memory limit.`
  if (code === null) return t`How it ended is not known.`
  if (code === 0) return t`The command came to its end without an error (exit 0).`
  if (code === 125) return t`The engine could not start it (exit 125).`
  if (code === 126) return t`The command was found but could not be run (exit 126): it is not executable, or its interpreter is missing.`
  if (code === 127) return t`The command was not found in the image (exit 127).`
  const signal = code > 128 ? SIGNALS[code - 128] : undefined
  if (signal === 'SIGKILL') return t`It was killed with SIGKILL (exit 137), not for lack of memory: by a kill, or by a stop whose time had run out.`
  if (signal) return t`It was ended by ${signal} (exit ${code}).`
  return t`The command ended with exit ${code}.`
}
