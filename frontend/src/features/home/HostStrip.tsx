import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'

import { Meter } from '@/components/bits'
import { ButtonLink } from '@/components/Button'
import { StateIcon } from '@/components/Icon'
import { percent } from '@/lib/format'
import { useList } from '@/lib/lists'
import { useRight } from '@/lib/rights'
import type { Host } from '@/lib/types'
import { hostLook } from '@/lib/words'

/** Hosts at a glance: state, CPU, memory, disk; the worst first. */
export function HostStrip() {
  const { rows, query } = useList<Host>('hosts', { order: 'attention,name' }, { pageSize: 24 })
  const mayEnrol = useRight('hosts.enrol')
  const hosts = rows.filter((host) => host.state !== 'revoked')
  const online = hosts.filter((host) => host.state === 'online').length
  return (
    <section aria-label={t`Hosts`}>
      <div className="section-head">
        <h2>
          <Trans>Hosts</Trans>
        </h2>
        <span className="meta">{hosts.length > 0 && t`${online} of ${hosts.length} online`}</span>
        <Link className="link actions" to="/hosts">
          <Trans>All hosts</Trans>
        </Link>
      </div>
      {hosts.length === 0 && query.isSuccess && (
        <div className="panel allgood">
          <span className="grow">
            <Trans>No hosts yet. A host joins by one line that you paste on it.</Trans>
          </span>
          {mayEnrol && (
            <ButtonLink small to="/hosts/new">
              <Trans>Add host</Trans>
            </ButtonLink>
          )}
        </div>
      )}
      {hosts.length > 0 && (
        <ul className="panel host-strip">
          {hosts.map((host) => (
            <Tile key={host.id} host={host} />
          ))}
        </ul>
      )}
    </section>
  )
}

function Tile({ host }: { host: Host }) {
  const look = hostLook(host.state)
  const online = host.state === 'online'
  const all = Number(host.facts.memory_bytes ?? host.facts.memory ?? 0)
  const memory = host.memory_bytes && all ? (host.memory_bytes / all) * 100 : undefined
  const disk = host.disk.total && host.disk.used !== undefined ? (host.disk.used / host.disk.total) * 100 : undefined
  const number = `${String(host.counts.running)}/${String(host.counts.containers)}`
  return (
    <li className={`host-tile${online ? '' : ' is-stale'}`}>
      <Link className="head" to="/hosts/$id" params={{ id: host.id }}>
        <StateIcon icon={look.icon} tone={look.tone} label={t`State: ${look.words}`} />
        <span className="strong cut">{host.name}</span>
        <span className="meta">{online ? number : look.words}</span>
      </Link>
      <dl>
        <Use name={t`CPU`} value={online && host.cpu_percent !== null ? host.cpu_percent / Math.max(1, Number(host.facts.cpus ?? 1)) : undefined} />
        <Use name={t`Memory`} value={online ? memory : undefined} />
        <Use name={t`Disk`} value={disk} />
      </dl>
    </li>
  )
}

function Use({ name, value }: { name: string; value: number | null | undefined }) {
  const shown = Math.round(value ?? 0)
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span className={shown >= 95 ? 'bad' : shown >= 85 ? 'warn' : ''}>{value == null ? '–' : percent(value, 0)}</span>
        <Meter value={value ?? 0} />
      </dd>
    </div>
  )
}
