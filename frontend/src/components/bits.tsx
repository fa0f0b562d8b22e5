/** Small things that stand everywhere: times, meters, facts, copying. */
import { t } from '@lingui/core/macro'
import { type ReactNode, useState } from 'react'

import { useNow } from '@/lib/clock'
import { ago, exact } from '@/lib/format'

import { Button } from './Button'

/** "3 min ago", exact with zone on hover. */
export function Ago({ at }: { at: string | null | undefined }) {
  const now = useNow()
  if (!at) return <span className="muted">–</span>
  return (
    <time dateTime={at} title={exact(at)}>
      {ago(at, now)}
    </time>
  )
}

/** A bar beside its number: warn from 85 %, bad from 95 %. */
export function Meter({ value, label, tone, thick = false }: { value: number; label?: string; tone?: 'accent' | 'done'; thick?: boolean }) {
  const shown = Math.max(0, Math.min(100, Math.round(value)))
  const level = tone ?? (shown >= 95 ? 'full' : shown >= 85 ? 'high' : '')
  const named = label ? { role: 'meter', 'aria-label': label, 'aria-valuenow': shown, 'aria-valuemin': 0, 'aria-valuemax': 100 } : { 'aria-hidden': true }
  return (
    <span className={`meter ${level}${thick ? ' thick' : ''}`} {...named}>
      <i style={{ inlineSize: `${String(shown)}%` }} />
    </span>
  )
}

export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  )
}

export function CopyButton({ text, label, words }: { text: string; label: string; words?: string }) {
  const [copied, setCopied] = useState(false)
  async function copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(text)
    } catch {
      // The clipboard is closed to pages without TLS; a selection the browser copies itself still works.
      const area = Object.assign(document.createElement('textarea'), { value: text })
      document.body.append(area)
      area.select()
      document.execCommand('copy')
      area.remove()
    }
    setCopied(true)
    setTimeout(() => { setCopied(false); }, 1500)
  }
  return (
    <Button small square={!words} kind={words ? undefined : 'plain'} icon={copied ? 'audit' : 'copy'} label={label} onClick={() => void copy()}>
      {words && (copied ? t`Copied` : words)}
    </Button>
  )
}

/** An id of twelve characters, with the whole to copy. */
export function Copyable({ text, shown, label }: { text: string; shown?: string; label: string }) {
  return (
    <span className="copyable">
      <span className="mono cut">{shown ?? text}</span>
      <CopyButton text={text} label={label} />
    </span>
  )
}
