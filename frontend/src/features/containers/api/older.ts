import { getText } from '@/lib/api'

import type { LogLine, Stream } from '../logs/buffer'

interface Stored {
  at: string
  stream: 'stdout' | 'stderr'
  text: string
}
const STREAMS: Record<Stored['stream'], Stream> = { stdout: 'o', stderr: 'e' }

/** Nanoseconds as text that sorts: fractions are written without their last zeros. */
function sortable(at: string): string {
  const [seconds = '', fraction = ''] = at.replace('Z', '').split('.')
  return `${seconds}.${fraction.padEnd(9, '0')}`
}

/** The last `tail` lines of a log up to a time, that time's own lines with them. Engines round the time, so a little more is asked for. */
export async function storedLines(id: string, until: string, tail: number): Promise<LogLine[]> {
  const text = await getText(`/api/containers/${id}/logs/`, { format: 'ndjson', until: new Date(Date.parse(until) + 2).toISOString(), tail })
  const last = sortable(until)
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const { at, stream, text: words } = JSON.parse(line) as Stored
      return { at, stream: STREAMS[stream], text: words }
    })
    .filter((line) => sortable(line.at) <= last)
}
