import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'

import { Button, ButtonLink } from '@/components/Button'
import { StateIcon } from '@/components/Icon'
import { useNow } from '@/lib/clock'
import { useContainerVerbs } from '@/lib/containers'
import { age } from '@/lib/format'
import type { Attention, HostRef } from '@/lib/types'
import { orderTitle } from '@/lib/words'

const PAGES: Record<string, string> = { container: '/containers', host: '/hosts', order: '/orders', image: '/images', volume: '/volumes', network: '/networks' }

interface Look {
  icon: string
  tone: string
  words: string
}

/** The kinds of trouble that the server ranks, each with its icon and words. */
function lookOf(row: Attention): Look {
  const looks: Record<string, Look> = {
    oom: { icon: 's-oom', tone: 'bad', words: t`out of memory` },
    restart_loop: { icon: 's-loop', tone: 'bad', words: t`restarting again and again` },
    restarting: { icon: 's-loop', tone: 'bad', words: t`restarting again and again` },
    unhealthy: { icon: 's-unhealthy', tone: 'bad', words: t`unhealthy` },
    exited: { icon: 's-exited', tone: 'bad', words: t`exited` },
    died: { icon: 's-exited', tone: 'bad', words: t`died` },
    dead: { icon: 's-dead', tone: 'bad', words: t`dead` },
    creation_failed: { icon: 's-exited', tone: 'bad', words: t`creation failed` },
    offline: { icon: 's-offline', tone: 'bad', words: t`offline` },
    host_offline: { icon: 's-offline', tone: 'bad', words: t`offline` },
    order_failed: { icon: 's-exited', tone: 'bad', words: t`failed` },
    failed: { icon: 's-exited', tone: 'bad', words: t`failed` },
    disk: { icon: 's-unhealthy', tone: 'warn', words: t`disk nearly full` },
  }
  return looks[row.kind] ?? { icon: 's-unhealthy', tone: 'bad', words: row.kind.replaceAll('_', ' ') }
}

export function AttentionRow({ row }: { row: Attention }) {
  const now = useNow()
  const look = lookOf(row)
  const name = row.type === 'order' ? orderTitle(row.op, row.name) : row.name
  const to = `${PAGES[row.type] ?? ''}/${row.id}`
  return (
    <li className="attention-row">
      <Link className="what" to={to}>
        <StateIcon icon={look.icon} tone={look.tone} label={t`State: ${look.words}`} />
        <span className="strong cut">{name}</span>
      </Link>
      <span className="words cut">{look.words}</span>
      <span className="detail muted cut" title={row.detail}>
        {row.detail}
      </span>
      <span className="where muted cut">{row.host?.name}</span>
      <span className="age muted num nowrap">{row.since ? age((now - Date.parse(row.since)) / 1000) : ''}</span>
      <span className="row-buttons">
        {row.type === 'container' && <ContainerButtons row={row} />}
        {row.type !== 'container' && (
          <ButtonLink small kind="plain" to={to} label={row.type === 'order' ? t`Output ${name}` : t`Open ${name}`}>
            {row.type === 'order' ? t`Output` : t`Open`}
          </ButtonLink>
        )}
      </span>
    </li>
  )
}

function ContainerButtons({ row }: { row: Attention }) {
  const { run } = useContainerVerbs()
  const host: HostRef = row.host ?? { id: '', name: '', online: true }
  const verb = ['exited', 'died', 'oom', 'dead'].includes(row.kind) ? 'start' : 'restart'
  if (row.kind === 'creation_failed') {
    return (
      <Button small kind="plain" label={t`Remove ${row.name}`} onClick={() => { run('remove', { id: row.id, name: row.name, host, state: row.state }); }}>
        <Trans>Remove</Trans>
      </Button>
    )
  }
  return (
    <>
      <ButtonLink small kind="plain" label={t`Logs ${row.name}`} to={`/containers/${row.id}/logs`}>
        <Trans>Logs</Trans>
      </ButtonLink>
      <Button small kind="plain" label={verb === 'start' ? t`Start ${row.name}` : t`Restart ${row.name}`} onClick={() => { run(verb, { id: row.id, name: row.name, host, state: row.state ?? '' }); }}>
        {verb === 'start' ? t`Start` : t`Restart`}
      </Button>
    </>
  )
}
