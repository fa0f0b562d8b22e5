import './home.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'

import { ButtonLink } from '@/components/Button'
import { Bones, Failure } from '@/components/Fallbacks'
import { StateIcon } from '@/components/Icon'
import { Page } from '@/components/Page'
import { clock, count } from '@/lib/format'
import { useRight } from '@/lib/rights'
import { useSummary } from '@/lib/summary'
import type { Summary } from '@/lib/types'
import { containerLook } from '@/lib/words'

import { AttentionRow } from './AttentionRow'
import { HostStrip } from './HostStrip'
import { RecentActivity, RunningOrders } from './Orders'

export function HomePage() {
  const { data, error, isPending, refetch } = useSummary()
  const mayCreate = useRight('containers.create')
  return (
    <Page
      title={t`Home`}
      className="home"
      actions={
        mayCreate && (
          <ButtonLink kind="primary" icon="plus" to="/containers/new">
            <Trans>Create container</Trans>
          </ButtonLink>
        )
      }
    >
      {isPending && <Bones />}
      {error && !data && <Failure title={t`The overview could not be loaded`} error={error} retry={() => void refetch()} />}
      {data && (
        <>
          <Attention summary={data} />
          <Counts summary={data} />
        </>
      )}
      <HostStrip />
      <div className="two">
        <RunningOrders />
        <RecentActivity />
      </div>
    </Page>
  )
}

const total = (numbers: Record<string, number>): number => Object.values(numbers).reduce((sum, n) => sum + n, 0)

function Attention({ summary }: { summary: Summary }) {
  const at = clock(summary.checked_at)
  const rows = summary.attention
  const containers = count(total(summary.containers))
  const hosts = count(total(summary.hosts))
  return (
    <section aria-label={t`Needs attention`}>
      <div className="section-head">
        <h2>
          <Trans>Needs attention</Trans>
        </h2>
        {rows.length > 0 && <span className="badge">{rows.length}</span>}
        <span className="meta actions">{rows.length > 0 ? t`Checked at ${at}` : ''}</span>
      </div>
      {rows.length === 0 ? (
        <p className="panel allgood">
          <StateIcon icon="s-healthy" tone="ok" />
          <span>
            <span className="strong">
              <Trans>All good.</Trans>
            </span>{' '}
            <span className="muted">
              <Trans>
                {containers} containers on {hosts} hosts, checked at {at}.
              </Trans>
            </span>
          </span>
        </p>
      ) : (
        <ul className="panel attention">
          {rows.map((row) => (
            <AttentionRow key={`${row.type}-${row.id}-${row.kind}`} row={row} />
          ))}
        </ul>
      )}
    </section>
  )
}

const STATES = ['running', 'restarting', 'paused', 'exited', 'created', 'dead', 'creating', 'creation_failed']

function Counts({ summary }: { summary: Summary }) {
  const shown = STATES.filter((state) => (summary.containers[state] ?? 0) > 0 || state === 'running')
  return (
    <section aria-label={t`Containers by state`}>
      <ul className="counts">
        {shown.map((state) => {
          const look = containerLook({ state, health: '', exit_code: null, oom_killed: false, restart_count: 0 })
          return (
            <li key={state}>
              <Link to="/containers" search={{ state }}>
                <StateIcon icon={look.icon} tone={look.tone} />
                <b>{count(summary.containers[state] ?? 0)}</b>
                <span className="muted">{state.replaceAll('_', ' ')}</span>
              </Link>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
