import { t } from '@lingui/core/macro'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useMemo } from 'react'

import { columns } from '@/components/chart/series'
import { Bones } from '@/components/Fallbacks'
import { Section } from '@/components/Page'
import { bytes, percent, rate } from '@/lib/format'
import type { Host } from '@/lib/types'

import { hostStatsQuery } from './api/stats'
import { cpusOf } from './facts'

const Chart = lazy(async () => ({ default: (await import('@/components/chart/Chart')).Chart }))

/** What the host reported in the last hour: CPU of all its cores, memory, network. */
export function LastHour({ host }: { host: Host }) {
  const { data, isPending, error } = useQuery(hostStatsQuery(host.id))
  const cpus = Math.max(1, cpusOf(host))
  const made = useMemo(() => {
    const found = columns(data?.points ?? [], { stored: 'rates', gap: Math.max(30, (data?.step ?? 10) * 2.5) })
    return { ...found, cpu: found.cpu.map((value) => (value === null ? null : value / cpus)) }
  }, [data, cpus])
  if (isPending) return <Bones />
  const window = { times: made.times, from: data?.from ?? 0, to: data?.to ?? 0 }
  return (
    <Section title={t`Last hour`}>
      {error && <p className="muted">{t`Not known now: ${error.message}`}</p>}
      {data && (
        <Suspense fallback={<Bones />}>
          <Chart title={t`CPU`} testId="chart-cpu" {...window} series={[{ label: t`CPU`, values: made.cpu }]} format={(value) => percent(value)} />
          <Chart title={t`Memory`} testId="chart-memory" binary {...window} series={[{ label: t`Memory`, values: made.memory }]} format={bytes} />
          <Chart
            title={t`Network`}
            testId="chart-network"
            binary
            {...window}
            series={[
              { label: t`Received`, values: made.received },
              { label: t`Sent`, values: made.sent, dash: [6, 3] },
            ]}
            format={rate}
          />
        </Suspense>
      )}
    </Section>
  )
}
