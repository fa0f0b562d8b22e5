import './containers.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useLocation, useParams } from '@tanstack/react-router'

import { Ago } from '@/components/bits'
import { Button } from '@/components/Button'
import { RowMenu } from '@/components/list/RowMenu'
import { Page, Tabs } from '@/components/Page'
import { ContainerState } from '@/components/StateChip'
import { type Crumb, Unloaded } from '@/components/Unloaded'
import { FACTS, refusal, useContainerVerbs, type Verb } from '@/lib/containers'
import { usePending } from '@/lib/orders'
import type { ContainerDetail } from '@/lib/types'
import { verbWord } from '@/lib/words'

import { containerQuery } from './api/container'

export function useContainer(): ContainerDetail | undefined {
  const { id = '' } = useParams({ strict: false })
  return useQuery(containerQuery(id)).data
}

export function ContainerPage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(containerQuery(id))
  const crumbs: [Crumb] = [{ label: t`Containers`, to: '/containers' }]
  if (!query.data) return <Unloaded title={t`Container`} crumbs={crumbs} query={query} failed={t`The container could not be loaded`} back={t`All containers`} />
  return <Loaded row={query.data} crumbs={crumbs} />
}

function Loaded({ row, crumbs }: { row: ContainerDetail; crumbs: { label: string; to: string }[] }) {
  const { pathname } = useLocation()
  const base = `/containers/${row.id}`
  const tabs = [
    { label: t`Overview`, to: base },
    { label: t`Logs`, to: `${base}/logs` },
    { label: t`Stats`, to: `${base}/stats` },
    { label: t`Terminal`, to: `${base}/terminal` },
    { label: t`Inspect`, to: `${base}/inspect` },
    { label: t`History`, to: `${base}/history` },
  ]
  const current = pathname.replace(/\/$/, '')
  const fills = current.endsWith('/logs') || current.endsWith('/terminal')
  return (
    <Page
      title={row.name}
      focusKey={row.id}
      crumbs={crumbs}
      className={fills ? 'fills' : ''}
      beside={
        <>
          <ContainerState row={row} large />
          <span className="meta nowrap beside">
            <Trans>
              on{' '}
              <Link to="/hosts/$id" params={{ id: row.host.id }}>
                {row.host.name}
              </Link>
            </Trans>
            {row.observed_at && !row.host.online && (
              <>
                {' · '}
                <Trans>
                  as of <Ago at={row.observed_at} />
                </Trans>
              </>
            )}
          </span>
        </>
      }
      actions={<Verbs row={row} />}
      tabs={<Tabs label={t`Sections of ${row.name}`} items={tabs} current={current} />}
    >
      <div role="tabpanel" aria-label={tabs.find((tab) => tab.to === current)?.label ?? t`Overview`} className="tab-panel">
        <Outlet />
      </div>
    </Page>
  )
}

function Verbs({ row }: { row: ContainerDetail }) {
  const { run } = useContainerVerbs()
  const pending = usePending(row.id, row.pending_order)
  const first: Verb[] = FACTS.stop.fits(row.state) ? ['restart', 'stop'] : ['start']
  const rest = (['start', 'pause', 'unpause', 'kill', 'restart', 'stop', 'remove'] as Verb[]).filter((verb) => !first.includes(verb) && FACTS[verb].fits(row.state))
  const busy = (verb: Verb): string | undefined => (pending?.op === `container.${verb}` ? t`Already asked for` : undefined)
  return (
    <>
      {first.map((verb) => (
        <Button key={verb} small icon={FACTS[verb].icon} reason={refusal(verb, row) ?? busy(verb) ?? (FACTS[verb].fits(row.state) ? undefined : t`Not while it is ${row.state.replaceAll('_', ' ')}`)} onClick={() => { run(verb, row); }}>
          {verbWord(verb)}
        </Button>
      ))}
      {rest.includes('kill') && (
        <Button small icon="kill" className="wide-only" reason={refusal('kill', row) ?? busy('kill')} onClick={() => { run('kill', row); }}>
          {verbWord('kill')}
        </Button>
      )}
      {rest.includes('remove') && (
        <Button small icon="trash" kind="danger-text" className="wide-only" reason={refusal('remove', row) ?? busy('remove')} onClick={() => { run('remove', row); }}>
          {verbWord('remove')}
        </Button>
      )}
      <RowMenu
        name={row.name}
        label={t`More`}
        groups={[rest.map((verb) => ({ label: verbWord(verb), icon: FACTS[verb].icon, danger: verb === 'remove', reason: refusal(verb, row), onPick: () => { run(verb, row); } }))]}
      />
    </>
  )
}
