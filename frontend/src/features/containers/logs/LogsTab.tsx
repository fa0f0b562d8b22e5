import './logs.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'

import { Button, PlainLink } from '@/components/Button'
import { Check } from '@/components/Form'
import { Failure } from '@/components/Fallbacks'
import { Icon } from '@/components/Icon'
import { plain } from '@/lib/ansi'
import { count } from '@/lib/format'
import { wordsOf } from '@/lib/problems'
import { missing } from '@/lib/rights'
import { toast } from '@/lib/toasts'
import type { ContainerDetail } from '@/lib/types'

import { storedLines } from '../api/older'
import { useContainer } from '../ContainerPage'
import { findLines, LogBuffer } from './buffer'
import { LogLines, type LogLinesHandle } from './LogLines'
import { openLog, type StreamState } from './stream'

/** Older lines come by this many as one scrolls up. */
const OLDER = 2_000

export function LogsTab() {
  const row = useContainer()
  if (!row) return null
  const reason = missing('containers.logs', row.rights, row.host.name)
  if (reason) return <Failure title={t`You may not read this log`} error={new Error(reason)} />
  return <LogView key={row.id} row={row} />
}

function LogView({ row }: { row: ContainerDetail }) {
  const [buffer] = useState(() => new LogBuffer())
  const version = useSyncExternalStore(buffer.subscribe, buffer.snapshot)
  const [state, setState] = useState<StreamState>({ kind: 'connecting' })
  const [round, setRound] = useState(0)
  const [options, setOptions] = useState({ timestamps: true, wrap: matchMedia('(max-width: 640px)').matches, announce: false })
  /** The number of the last line shown while paused. */
  const [pausedAt, setPausedAt] = useState<number | null>(null)
  const [words, setWords] = useState('')
  const [match, setMatch] = useState(0)
  const handle = useRef<LogLinesHandle>(null)

  // The socket stays over stops and starts of the container: the server goes on when it writes again.
  useEffect(() => {
    const channel = openLog(row.id, buffer, setState)
    return () => { channel.close(); }
  }, [row.id, buffer, round])

  // Of one moment: a render between two frames must not see the counts of lines that it does not draw yet.
  const { lines, total, dropped, prepended } = useMemo(() => {
    void version
    const shown = pausedAt === null ? buffer.lines : buffer.lines.filter((line) => line.n <= pausedAt)
    return { lines: shown, total: buffer.total, dropped: buffer.dropped, prepended: buffer.prepended }
  }, [buffer, version, pausedAt])
  const asking = useRef(false)
  async function older(): Promise<void> {
    const oldest = buffer.oldest()
    if (!oldest || asking.current) return
    asking.current = true
    try {
      const came = buffer.prepend(await storedLines(row.id, oldest.at, oldest.loaded + OLDER))
      // The first line of the log is here: nothing more is asked for.
      asking.current = came === 0
    } catch (error) {
      asking.current = false
      toast({ kind: 'bad', title: t`Older lines could not be loaded`, detail: wordsOf(error) })
    }
  }
  const found = useMemo(() => findLines(lines, words), [lines, words])
  const current = found.length === 0 ? 0 : Math.min(match, found.length - 1)
  function step(by: number): void {
    if (found.length === 0) return
    const next = (current + by + found.length) % found.length
    setMatch(next)
    const index = found[next]
    if (index !== undefined) handle.current?.show(index)
  }
  return (
    <div className="log-page">
      <div className="log-tools">
        <div className="searchbox">
          <Icon name="search" />
          <input
            className="input"
            type="search"
            role="searchbox"
            aria-label={t`Search logs`}
            placeholder={t`Search loaded lines`}
            value={words}
            onChange={(event) => {
              setWords(event.target.value)
              setMatch(0)
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter') step(event.shiftKey ? -1 : 1)
            }}
          />
          {words && (
            <span className="in-field meta" role="status">
              {found.length === 0 ? t`none` : t`${current + 1} of ${count(found.length)}`}
            </span>
          )}
        </div>
        <span className="group">
          <Button square icon="up" label={t`Previous match`} onClick={() => { step(-1); }} />
          <Button square icon="down" label={t`Next match`} onClick={() => { step(1); }} />
        </span>
        <span className="grow" />
        <Check role="switch" label={t`Timestamps`} checked={options.timestamps} onChange={(timestamps) => { setOptions({ ...options, timestamps }); }} />
        <Check role="switch" label={t`Wrap lines`} checked={options.wrap} onChange={(wrap) => { setOptions({ ...options, wrap }); }} />
        <Check role="switch" label={t`Announce new lines`} checked={options.announce} onChange={(announce) => { setOptions({ ...options, announce }); }} />
        <Button small icon={pausedAt === null ? 'pause' : 'play'} onClick={() => { setPausedAt(pausedAt === null ? buffer.total : null); }}>
          {pausedAt === null ? t`Pause` : t`Resume`}
        </Button>
        <PlainLink small square icon="download" label={t`Download logs`} href={`/api/containers/${row.id}/logs/?download=true`} download />
      </div>
      <StreamNote state={state} onRetry={() => { setRound(round + 1); }} />
      <LogLines ref={handle} name={row.name} lines={lines} total={total} dropped={dropped} prepended={prepended} options={options} words={words} current={found[current]} paused={pausedAt !== null} onJump={() => { setPausedAt(null); }} onTop={() => void older()} empty={state.kind !== 'connecting'} />
      {options.announce && <Announcer buffer={buffer} />}
    </div>
  )
}

function StreamNote({ state, onRetry }: { state: StreamState; onRetry: () => void }) {
  if (state.kind === 'lost') {
    return (
      <div className="banner grey-banner" role="status">
        <Trans>The log is cut off. It goes on where it stopped as soon as the connection is back.</Trans>
      </div>
    )
  }
  if (state.kind !== 'failed') return null
  return (
    <div className="banner bad-banner" role="alert">
      <Icon name="alert" />
      <span className="grow">{state.words}</span>
      <Button small kind="plain" onClick={onRetry}>
        <Trans>Retry</Trans>
      </Button>
    </div>
  )
}

/** Says a count and the last line each five seconds, for those who cannot see them run. */
function Announcer({ buffer }: { buffer: LogBuffer }) {
  const [said, setSaid] = useState('')
  useEffect(() => {
    let before = buffer.total
    const timer = setInterval(() => {
      const fresh = buffer.total - before
      before = buffer.total
      if (fresh > 0) setSaid(t`${fresh} new lines. Last: ${plain(buffer.lines.at(-1)?.text ?? '').slice(0, 200)}`)
    }, 5000)
    return () => { clearInterval(timer); }
  }, [buffer])
  return (
    <span className="unseen" role="status">
      {said}
    </span>
  )
}
