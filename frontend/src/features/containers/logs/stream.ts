/** The socket of one container's log, feeding a buffer and resuming without a gap or a repeat. */
import { t } from '@lingui/core/macro'

import { queryString } from '@/lib/api'
import { count } from '@/lib/format'
import { type Channel, type Message, openChannel } from '@/lib/socket'

import type { LogBuffer, Stream } from './buffer'

export interface StreamState {
  kind: 'connecting' | 'live' | 'ended' | 'lost' | 'failed'
  words?: string
}

const TAIL = 1_000

export function openLog(id: string, buffer: LogBuffer, onState: (state: StreamState) => void): Channel {
  const channel = openChannel(
    () => {
      const from = buffer.resume()
      return `/ws/containers/${id}/logs${queryString(from ? { from } : { tail: TAIL })}`
    },
    {
      onOpen: () => { onState({ kind: 'live' }); },
      onMessage: (message) => { receive(message, buffer, onState, channel); },
      onClose: (code, reason, again) => {
        if (again) onState({ kind: 'lost' })
        else if (code !== 1000) onState({ kind: 'failed', words: reason || t`The log cannot be read (${code}).` })
      },
    },
    { retry: true },
  )
  return channel
}

function receive(message: Message, buffer: LogBuffer, onState: (state: StreamState) => void, channel: Channel): void {
  switch (message.type) {
    case 'lines': {
      const lines = message.lines as [string, Stream, string][]
      buffer.push(lines.map(([at, stream, text]) => ({ at, stream, text })))
      channel.send({ type: 'ack', n: lines.length })
      break
    }
    case 'dropped': {
      const missing = count(Number(message.lines))
      // Far behind, the log goes on near its end: how many lines lie between was not counted.
      const text = message.about ? t`about ${missing} lines left out, since the viewer was too slow` : t`${missing} lines dropped while the viewer was slow`
      buffer.push([{ at: '', stream: 'mark', tone: 'warn', text }])
      break
    }
    case 'mark':
      onState({ kind: 'live' })
      buffer.push([markLine(String(message.kind), String(message.at ?? ''))])
      break
    case 'end': {
      const code = message.exit_code as number | null | undefined
      buffer.push([{ at: '', stream: 'mark', ...(code ? { tone: 'bad' as const } : {}), text: code == null ? t`end of the log` : t`exited ${code}` }])
      onState({ kind: 'ended' })
      break
    }
    case 'problem':
      onState({ kind: 'failed', words: String(message.detail ?? message.title ?? '') })
  }
}

function markLine(kind: string, at: string): { at: string; stream: 'mark'; text: string; tone?: 'bad' } {
  const words: Record<string, string> = { restarted: t`started again`, rotated: t`log rotated`, started: t`started`, exited: t`exited` }
  return { at, stream: 'mark', text: words[kind] ?? kind }
}
