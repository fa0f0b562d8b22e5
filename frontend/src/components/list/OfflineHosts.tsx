/** Whose rows are what was last reported: the hosts that are away, since when and why. */
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'

import { Ago } from '@/components/bits'
import { Icon } from '@/components/Icon'
import { useList } from '@/lib/lists'
import type { Host, HostRef, Row } from '@/lib/types'

/** More than these are only named. */
const REASONS = 3

export function OfflineHosts<T extends Row>({ rows, hostOf }: { rows: T[]; hostOf: (row: T) => HostRef | null | undefined }) {
  const away = rows.map(hostOf).filter((host) => host != null && !host.online)
  const names = [...new Set(away.map((host) => host?.name))]
  const { rows: hosts } = useList<Host>('hosts', { order: 'name' }, { enabled: names.length > 0 })
  if (names.length === 0) return null
  const known = hosts.filter((host) => names.includes(host.name)).slice(0, REASONS)
  const said = names.join(', ')
  const stale = away.length
  return (
    <div className="banner grey-banner" role="status" aria-label={t`Hosts that are away`}>
      <Icon name="alert" />
      <span className="cut">
        <span className="strong">{names.length === 1 ? t`${said} is offline.` : t`${said} are offline.`}</span>{' '}
        {known.map((host) => (
          <span key={host.id} className="muted">
            {names.length > 1 && `${host.name}: `}
            <Trans>
              lost <Ago at={host.offline_since ?? host.last_seen_at} />, {host.offline_reason || t`the agent does not answer`}.
            </Trans>{' '}
          </span>
        ))}
        <span className="muted">{stale === 1 ? t`1 row shows what it last reported; actions will queue.` : t`${stale} rows show what they last reported; actions will queue.`}</span>
      </span>
    </div>
  )
}
