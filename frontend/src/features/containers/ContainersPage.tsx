import './containers.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { Button, ButtonLink } from '@/components/Button'
import { StateIcon } from '@/components/Icon'
import { ImageName } from '@/components/ImageName'
import { ListPage } from '@/components/list/ListPage'
import type { BulkAction, ListConfig, MenuEntry } from '@/components/list/types'
import { ContainerState } from '@/components/StateChip'
import { watchStats } from '@/lib/connection'
import { FACTS, refusal, useContainerVerbs, type Verb } from '@/lib/containers'
import { bytes, count, percent } from '@/lib/format'
import { missing, useRight } from '@/lib/rights'
import type { Container } from '@/lib/types'
import { containerLook, stale, verbWord } from '@/lib/words'

import { PortLinks } from './ports'

const STATES = ['running', 'exited', 'created', 'paused', 'restarting', 'dead', 'creating', 'creation_failed', 'removing']
const HEALTH = ['healthy', 'unhealthy', 'starting', 'none']
const BULK: Verb[] = ['start', 'stop', 'restart', 'pause', 'kill', 'remove']

const look = (row: Container) => (row.host.online ? containerLook(row) : stale(containerLook(row)))
const sinceOf = (row: Container): string | null | undefined => (['running', 'paused', 'restarting'].includes(row.state) ? row.started_at : (row.finished_at ?? row.created_at))

export function ContainersPage() {
  const config = useConfig()
  return <ListPage config={config} />
}

function useConfig(): ListConfig<Container> {
  const verbs = useContainerVerbs()
  const navigate = useNavigate()
  const mayCreate = useRight('containers.create')
  return useMemo<ListConfig<Container>>(() => {
    const go = (row: Container, tab: string): void => void navigate({ to: `/containers/${row.id}/${tab}` })
    const create = mayCreate && (
      <ButtonLink kind="primary" small icon="plus" to="/containers/new">
        <Trans>Create container</Trans>
      </ButtonLink>
    )
    return {
      kind: 'containers',
      title: t`Containers`,
      counted: (n) => (n === 1 ? t`1 container` : t`${count(n)} containers`),
      searchLabel: t`Search containers`,
      searchHint: t`Name, image, IP, port`,
      defaultOrder: 'attention,name',
      byHost: true,
      filters: [
        { name: 'state', label: t`state`, choices: STATES.map((value) => ({ value, label: value.replaceAll('_', ' ') })) },
        { name: 'health', label: t`health`, choices: HEALTH.map((value) => ({ value, label: value })) },
      ],
      columns: columns(),
      card: (row) => ({
        lead: <StateIcon icon={look(row).icon} tone={look(row).tone} />,
        title: row.name,
        end: <ContainerState row={row} />,
        sub: `${row.host.name} · ${row.image.reference}`,
        subEnd: <Ago at={sinceOf(row)} />,
      }),
      to: (row) => `/containers/${row.id}`,
      nameOf: (row) => row.name,
      stateOf: (row) => row.state,
      hostOf: (row) => row.host,
      menu: (row) => menuOf(row, verbs.run, go),
      quick: (row) => row.state !== 'creation_failed' && (
        <>
          <ButtonLink kind="plain" small square icon="logs" label={t`Logs ${row.name}`} to={`/containers/${row.id}/logs`} />
          <ButtonLink kind="plain" small square icon="terminal" label={t`Terminal ${row.name}`} to={`/containers/${row.id}/terminal`} />
          <Button kind="plain" small square icon="restart" label={t`Restart ${row.name}`} reason={refusal('restart', row)} onClick={() => { verbs.run('restart', row); }} />
        </>
      ),
      bulk: BULK.map((verb) => bulkOf(verb, verbs.batch)),
      actions: create,
      empty: { title: t`No containers yet`, text: t`Containers on all your hosts will be listed here.`, action: create, cli: 'docker run -d nginx' },
      onVisible: (rows) => { watchStats(rows.filter((row) => row.state === 'running').map((row) => row.id)); },
    }
  }, [verbs, navigate, mayCreate])
}

function columns(): ListConfig<Container>['columns'] {
  return [
    { key: 'name', label: t`Name`, sort: 'name', cell: (row) => row.name },
    { key: 'state', label: t`State`, sort: 'attention', width: '248px', cell: (row) => <ContainerState row={row} /> },
    { key: 'host', label: t`Host`, sort: 'host', width: '96px', rank: 1, cell: (row) => row.host.name },
    { key: 'image', label: t`Image`, sort: 'image', width: '19%', cell: (row) => <ImageName reference={row.image.reference} /> },
    { key: 'ports', label: t`Ports`, width: '112px', rank: 2, cell: (row) => <PortLinks ports={row.ports} host={row.host} /> },
    { key: 'cpu', label: t`CPU`, width: '72px', rank: 2, end: true, cell: (row) => (row.state === 'running' ? percent(row.cpu_percent) : '') },
    { key: 'memory', label: t`Memory`, width: '88px', rank: 2, end: true, cell: (row) => (row.state === 'running' ? bytes(row.memory_bytes) : '') },
    { key: 'since', label: t`Since`, width: '104px', rank: 1, end: true, cell: (row) => <Ago at={sinceOf(row)} /> },
  ]
}

function menuOf(row: Container, run: (verb: Verb, row: Container) => void, go: (row: Container, tab: string) => void): MenuEntry[][] {
  const entry = (verb: Verb): MenuEntry => ({
    label: verbWord(verb),
    icon: FACTS[verb].icon,
    danger: verb === 'remove',
    reason: refusal(verb, row),
    onPick: () => { run(verb, row); },
  })
  const fitting = (verbs: Verb[]): MenuEntry[] => verbs.filter((verb) => FACTS[verb].fits(row.state)).map(entry)
  const open: MenuEntry[] = [
    { label: t`Logs`, icon: 'logs', reason: missing('containers.logs', row.rights, row.host.name), onPick: () => { go(row, 'logs'); } },
    { label: t`Terminal`, icon: 'terminal', reason: missing('containers.exec', row.rights, row.host.name), onPick: () => { go(row, 'terminal'); } },
    { label: t`Stats`, icon: 'activity', onPick: () => { go(row, 'stats'); } },
  ]
  return [fitting(['start', 'stop', 'restart', 'pause', 'unpause', 'kill']), open, fitting(['remove'])]
}

function bulkOf(verb: Verb, batch: (verb: Verb, rows: Container[], label: string) => Promise<void>): BulkAction<Container> {
  const label = verbWord(verb)
  return {
    label,
    icon: FACTS[verb].icon,
    danger: verb === 'remove',
    fits: (row) => FACTS[verb].fits(row.state) && refusal(verb, row) === undefined,
    refused: (row) => refusal(verb, row),
    run: (rows) => batch(verb, rows, label),
  }
}
