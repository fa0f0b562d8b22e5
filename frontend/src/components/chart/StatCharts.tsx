import { t } from '@lingui/core/macro'
import { lazy, Suspense } from 'react'

import { Bones } from '@/components/Fallbacks'
import { bytes, percent, rate } from '@/lib/format'

import type { Columns } from './series'

const Chart = lazy(async () => ({ default: (await import('./Chart')).Chart }))

/** CPU, memory and network, one below the other. `limited`: memory has a limit of its own, drawn as a line. */
export function StatCharts({ made, from, to, limited = false }: { made: Columns; from: number; to: number; limited?: boolean }) {
  const window = { times: made.times, from, to }
  return (
    <Suspense fallback={<Bones />}>
      <Chart title={t`CPU`} testId="chart-cpu" {...window} series={[{ label: t`CPU`, values: made.cpu }]} format={(value) => percent(value)} />
      <Chart
        title={t`Memory`}
        testId="chart-memory"
        binary
        {...window}
        series={[{ label: t`Memory`, values: made.memory }, ...(limited ? [{ label: t`Limit`, values: made.limit, limit: true }] : [])]}
        format={bytes}
      />
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
  )
}
