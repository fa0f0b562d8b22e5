import './stats.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useMemo, useRef, useState } from 'react'

import { Button } from '@/components/Button'
import { columns, pointOf, type StatsPoint } from '@/components/chart/series'
import { StatCharts } from '@/components/chart/StatCharts'
import { Bones, Empty } from '@/components/Fallbacks'
import { serverNow } from '@/lib/clock'
import { one } from '@/lib/search'
import { openChannel } from '@/lib/socket'
import type { ContainerDetail } from '@/lib/types'

import { statsQuery } from '../api/stats'
import { useContainer } from '../ContainerPage'

const LIVE_WINDOW = 5 * 60
const HOUR = 3600

export function StatsTab() {
  const row = useContainer()
  return row ? <Stats key={row.id} row={row} /> : null
}

function Stats({ row }: { row: ContainerDetail }) {
  const search: Record<string, string | string[] | undefined> = useSearch({ strict: false })
  const navigate = useNavigate()
  const range = one(search.range) === '1h' ? '1h' : 'live'
  const choose = (next: string): void => void navigate({ to: '.', search: (before: Record<string, unknown>) => ({ ...before, range: next === 'live' ? undefined : next }), replace: true })
  return (
    <>
      <div className="stat-tools row">
        <span className="group" role="group" aria-label={t`Range`}>
          <Button small aria-pressed={range === 'live'} onClick={() => { choose('live'); }}>
            <Trans>Live</Trans>
          </Button>
          <Button small aria-pressed={range === '1h'} onClick={() => { choose('1h'); }}>
            <Trans>Last hour</Trans>
          </Button>
        </span>
        <span className="meta">
          <Trans>CPU in percent of one core; memory without page cache; network as the sum of the interfaces.</Trans>
        </span>
      </div>
      {range === 'live' ? <Live row={row} /> : <Hour row={row} />}
    </>
  )
}

function Live({ row }: { row: ContainerDetail }) {
  const [points, setPoints] = useState<StatsPoint[]>([])
  const [problem, setProblem] = useState('')
  const running = row.state === 'running'
  useEffect(() => {
    if (!running) return undefined
    const channel = openChannel(
      () => `/ws/containers/${row.id}/stats?every=1`,
      {
        onMessage: (message) => {
          if (message.type !== 'sample') return
          setProblem('')
          const point = pointOf(message as unknown as Parameters<typeof pointOf>[0])
          setPoints((before) => [...before.slice(-LIVE_WINDOW), point])
        },
        onClose: (_code, reason, again) => {
          if (!again) setProblem(reason)
        },
      },
      { retry: true },
    )
    return () => { channel.close(); }
  }, [row.id, running])
  if (!running) return <Empty title={t`It does not run`} text={t`Live values come while it runs. The last hour shows what was stored.`} />
  if (problem) return <Empty title={t`No values`} text={problem} />
  const now = points.length > 0 ? Date.parse(points.at(-1)?.at ?? '') / 1000 : serverNow() / 1000
  return <Charts row={row} points={points} stored="counters" gap={5} from={now - LIVE_WINDOW} to={now} />
}

function Hour({ row }: { row: ContainerDetail }) {
  const from = useRef(new Date(serverNow() - HOUR * 1000).toISOString())
  const { data, isPending, error } = useQuery(statsQuery(row.id, from.current))
  if (isPending) return <Bones />
  if (error) return <Empty title={t`The stored values could not be loaded`} text={error.message} />
  const start = Date.parse(from.current) / 1000
  return <Charts row={row} points={data.points} stored="rates" gap={Math.max(30, data.step * 2.5)} from={start} to={start + HOUR} />
}

function Charts({ row, points, stored, gap, from, to }: { row: ContainerDetail; points: StatsPoint[]; stored: 'rates' | 'counters'; gap: number; from: number; to: number }) {
  const made = useMemo(() => columns(points, { stored, gap }), [points, stored, gap])
  // Without a limit of its own the engine names the host's whole memory; as a line it would only press the curve flat.
  const limited = Number(row.limits.Memory ?? 0) > 0
  return <StatCharts made={made} from={from} to={to} limited={limited} />
}
