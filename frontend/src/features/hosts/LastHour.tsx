import { t } from '@lingui/core/macro'
import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'

import { columns } from '@/components/chart/series'
import { StatCharts } from '@/components/chart/StatCharts'
import { Bones } from '@/components/Fallbacks'
import { Section } from '@/components/Page'
import type { Host } from '@/lib/types'

import { hostStatsQuery } from './api/stats'
import { cpusOf } from './facts'

/** What the host reported in the last hour: CPU of all its cores, memory, network. */
export function LastHour({ host }: { host: Host }) {
  const { data, isPending, error } = useQuery(hostStatsQuery(host.id))
  const cpus = Math.max(1, cpusOf(host))
  const made = useMemo(() => {
    const found = columns(data?.points ?? [], { stored: 'rates', gap: Math.max(30, (data?.step ?? 10) * 2.5) })
    return { ...found, cpu: found.cpu.map((value) => (value === null ? null : value / cpus)) }
  }, [data, cpus])
  if (isPending) return <Bones />
  return (
    <Section title={t`Last hour`}>
      {error && <p className="muted">{t`Not known now: ${error.message}`}</p>}
      {data && <StatCharts made={made} from={data.from} to={data.to} />}
    </Section>
  )
}
