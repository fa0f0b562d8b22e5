import { Trans } from '@lingui/react/macro'
import { type CSSProperties, type ReactNode, useState } from 'react'

import { Button } from '@/components/Button'
import { parseAnsi, type Span } from '@/lib/ansi'
import { bytes } from '@/lib/format'

const FOLD = 16 * 1024

/** One line's text: its colours, the searched words marked, the rest of it inert. */
export function LineText({ text, words, now }: { text: string; words: string; now: boolean }) {
  const [whole, setWhole] = useState(false)
  const folded = text.length > FOLD && !whole
  const spans = parseAnsi(folded ? text.slice(0, FOLD) : text)
  return (
    <>
      {spans.map((span, n) => (
        <span key={n} style={styleOf(span)}>
          {words ? marked(span.text, words, now) : span.text}
        </span>
      ))}
      {folded && (
        <Button small kind="plain" onClick={() => { setWhole(true); }}>
          <Trans>Show all {bytes(text.length)}</Trans>
        </Button>
      )}
    </>
  )
}

function styleOf(span: Span): CSSProperties | undefined {
  const style: CSSProperties = {}
  if (span.color) style.color = span.color
  if (span.background) {
    style.background = span.background
    style.color = 'var(--ls-page)'
  }
  if (span.bold) style.fontWeight = 600
  if (span.faint) style.opacity = 0.75
  if (span.italic) style.fontStyle = 'italic'
  if (span.underline) style.textDecoration = 'underline'
  return Object.keys(style).length > 0 ? style : undefined
}

function marked(text: string, words: string, now: boolean): ReactNode[] {
  const parts: ReactNode[] = []
  const lower = text.toLowerCase()
  const wanted = words.toLowerCase()
  let at = 0
  for (let found = lower.indexOf(wanted); found >= 0; found = lower.indexOf(wanted, at)) {
    parts.push(text.slice(at, found))
    parts.push(
      <mark key={found} className={now ? 'now' : ''}>
        {text.slice(found, found + wanted.length)}
      </mark>,
    )
    at = found + wanted.length
  }
  parts.push(text.slice(at))
  return parts
}
