import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useVirtualizer } from '@tanstack/react-virtual'
import { forwardRef, memo, useImperativeHandle, useLayoutEffect, useRef, useState } from 'react'

import { Button } from '@/components/Button'
import { count } from '@/lib/format'

import type { Line } from './buffer'
import { LineText } from './LineText'

const ROW = 20
/** Nearer to the end than this is at the end. */
const SLACK = 8
const NEAR_TOP = 400

export interface LogLinesHandle {
  show: (index: number) => void
}

interface Props {
  name: string
  lines: Line[]
  total: number
  dropped: number
  /** Older lines put before the first one. */
  prepended: number
  options: { timestamps: boolean; wrap: boolean }
  words: string
  current: number | undefined
  paused: boolean
  onJump: () => void
  /** The reader is near the first line. */
  onTop: () => void
  empty: boolean
}

/** The lines in sight. At the end it follows; any scroll up stops that, and the lines in view stay put. */
export const LogLines = forwardRef<LogLinesHandle, Props>(function LogLines({ name, lines, total, dropped, prepended, options, words, current, paused, onJump, onTop, empty }, ref) {
  const box = useRef<HTMLDivElement>(null)
  const [following, setFollowing] = useState(true)
  const [leftAt, setLeftAt] = useState(0)
  const lastTop = useRef(0)
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    getItemKey: (index) => lines[index]?.n ?? index,
    overscan: 20,
  })
  const follow = following && !paused
  // The truth between renders: a scroll up must win over lines that arrive in the same frame.
  const followNow = useRef(true)
  const size = virtualizer.getTotalSize()

  // The oldest lines leave, or still older ones come, above a reader's eyes: the scroll moves by the same height, and what was read stays.
  const above = prepended - dropped
  const aboveBefore = useRef(above)
  useLayoutEffect(() => {
    const came = above - aboveBefore.current
    aboveBefore.current = above
    const element = box.current
    if (came === 0 || !element) return
    if (!followNow.current || paused) element.scrollTop = Math.max(0, element.scrollTop + came * ROW)
    lastTop.current = element.scrollTop
  }, [above, paused])

  useLayoutEffect(() => {
    const element = box.current
    if (!element || !follow || !followNow.current) return
    if (element.scrollTop < lastTop.current - 1) return
    element.scrollTop = element.scrollHeight
    lastTop.current = element.scrollTop
  }, [follow, lines, size])

  useImperativeHandle(ref, () => ({
    show: (index) => {
      leave()
      virtualizer.scrollToIndex(index, { align: 'center' })
    },
  }))

  function leave(): void {
    if (followNow.current) setLeftAt(total)
    followNow.current = false
    setFollowing(false)
  }
  function onScroll(): void {
    const element = box.current
    if (!element) return
    const up = element.scrollTop < lastTop.current
    lastTop.current = element.scrollTop
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < SLACK
    if (up && !atEnd) leave()
    else if (atEnd) rejoin()
    if (up && element.scrollTop < NEAR_TOP) onTop()
  }
  function rejoin(): void {
    followNow.current = true
    setFollowing(true)
  }
  function jump(): void {
    onJump()
    if (box.current) lastTop.current = box.current.scrollTop
    rejoin()
  }
  const fresh = paused ? total - (lines.at(-1)?.n ?? 0) : total - leftAt
  const items = virtualizer.getVirtualItems()
  return (
    <div className="log-frame">
      <div ref={box} className={`log${options.wrap ? ' wraps' : ''}`} role="log" aria-live="off" aria-label={t`Logs of ${name}`} tabIndex={0} onScroll={onScroll}>
        {dropped > 0 && (
          <p className="log-note">
            <Trans>{count(dropped)} older lines were let go.</Trans>
          </p>
        )}
        {lines.length === 0 && empty && (
          <p className="log-note">
            <Trans>Nothing was written yet.</Trans>
          </p>
        )}
        <div className="log-space" style={{ blockSize: size }}>
          <div style={{ transform: `translateY(${String(items[0]?.start ?? 0)}px)` }}>
            {items.map((item) => {
              const line = lines[item.index]
              return (
                line && (
                  <div key={item.key} ref={options.wrap || line.stream === 'mark' ? virtualizer.measureElement : undefined} data-index={item.index}>
                    <LogRow line={line} timestamps={options.timestamps} words={words} now={item.index === current} />
                  </div>
                )
              )
            })}
          </div>
        </div>
      </div>
      {!follow && (
        <Button className="jump" kind="primary" small icon="arrow-down" onClick={jump}>
          {fresh > 0 ? t`Jump to latest (${count(fresh)} new)` : t`Jump to latest`}
        </Button>
      )}
    </div>
  )
})

const LogRow = memo(function LogRow({ line, timestamps, words, now }: { line: Line; timestamps: boolean; words: string; now: boolean }) {
  if (line.stream === 'mark') {
    return (
      <div className={`log-mark ${line.tone ?? ''}`}>
        <span>
          {line.text}
          {line.at && ` · ${clockOf(line.at)}`}
        </span>
      </div>
    )
  }
  return (
    <div className="log-row" data-testid="log-line" data-stream={line.stream} data-now={now || undefined}>
      {timestamps && <time dateTime={line.at}>{clockOf(line.at)}</time>}
      <span className="msg">
        <LineText text={line.text} words={words} now={now} />
      </span>
    </div>
  )
})

/** Local time with milliseconds; the engine's nanoseconds stay in the attribute. */
function clockOf(at: string): string {
  const when = new Date(at)
  if (Number.isNaN(when.getTime())) return at
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${String(when.getMilliseconds()).padStart(3, '0')}`
}
