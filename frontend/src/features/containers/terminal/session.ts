/** One shell in one container: an exec, its socket, its size. */
import { t } from '@lingui/core/macro'

import { wordsOf } from '@/lib/problems'
import { type Channel, openChannel } from '@/lib/socket'

import { createExec } from '../api/exec'

export const SHELLS = ['automatic', 'bash', 'ash', 'sh'] as const
export type Shell = (typeof SHELLS)[number]

/** The best shell of the image: found by running, not by asking, and nothing is typed into it. */
export function commandFor(shell: Shell): string[] {
  return shell === 'automatic' ? ['sh', '-c', 'exec "$(command -v bash || command -v ash || command -v sh)"'] : [shell]
}

export type SessionState = { kind: 'connecting' } | { kind: 'connected' } | { kind: 'ended'; reason: string }

interface Wanted {
  containerId: string
  shell: Shell
  user: string
  size: { cols: number; rows: number }
  onBytes: (bytes: Uint8Array) => void
  onState: (state: SessionState) => void
}

export interface Session {
  write: (text: string) => void
  writeBytes: (bytes: Uint8Array<ArrayBuffer>) => void
  resize: (cols: number, rows: number) => void
  close: () => void
}

export function openSession({ containerId, shell, user, size, onBytes, onState }: Wanted): Session {
  let channel: Channel | undefined
  let closed = false
  let latest = size
  const encoder = new TextEncoder()
  const end = (reason: string): void => {
    if (closed) return
    closed = true
    onState({ kind: 'ended', reason })
    channel?.close()
  }
  onState({ kind: 'connecting' })
  createExec(containerId, { command: commandFor(shell), tty: true, ...size, ...(user && { user }) })
    .then((exec) => {
      if (closed) return
      channel = openChannel(() => `/ws/containers/${containerId}/exec?exec=${encodeURIComponent(exec.id)}`, {
        // The size goes before anything else, so that the first prompt is drawn in it.
        onOpen: () => {
          channel?.send({ type: 'resize', ...latest })
          onState({ kind: 'connected' })
        },
        onBytes,
        onMessage: (message) => {
          if (message.type === 'exit') end(message.code === 0 ? t`the shell ended` : t`the shell ended with ${String(message.code)}`)
          if (message.type === 'problem') end(String(message.detail ?? message.title ?? ''))
        },
        onClose: (code, reason) => { end(reason || (code === 1000 ? t`closed` : t`the connection was cut (${code})`)); },
      })
    })
    .catch((error: unknown) => { end(wordsOf(error)); })
  return {
    write: (text) => channel?.sendBytes(encoder.encode(text)),
    writeBytes: (bytes) => channel?.sendBytes(bytes),
    resize: (cols, rows) => {
      latest = { cols, rows }
      channel?.send({ type: 'resize', cols, rows })
    },
    close: () => {
      if (closed) return
      closed = true
      channel?.close()
      onState({ kind: 'ended', reason: t`closed by you` })
    },
  }
}
