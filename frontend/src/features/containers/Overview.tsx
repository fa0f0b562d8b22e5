import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'

import { Ago, Copyable, Facts, Meter } from '@/components/bits'
import { Icon, StateIcon } from '@/components/Icon'
import { Section } from '@/components/Page'
import { waiting } from '@/components/StateChip'
import { bytes, percent, shortId } from '@/lib/format'
import type { ContainerDetail } from '@/lib/types'
import { verbDoing } from '@/lib/words'

import { useContainer } from './ContainerPage'
import { LastExitCard } from './LastExit'
import { addressOf, bindingsOf, published } from './ports'

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

export function Overview() {
  const row = useContainer()
  if (!row) return null
  return (
    <div className="split">
      <div className="col">
        {row.problem && (
          <div className="alert" role="alert">
            <Icon name="alert" />
            <span>
              <Trans>Creation failed: {row.problem.detail}</Trans>
            </span>
          </div>
        )}
        {row.pending_order && (
          <p className="row">
            <StateIcon icon="s-busy" tone="busy" />
            <span>
              {row.pending_order.waiting_for === 'host' || !row.host.online ? waiting(row.pending_order.op) : verbDoing(row.pending_order.op)}{' '}
              <Link className="link" to="/orders/$id" params={{ id: row.pending_order.id }}>
                <Trans>See the order</Trans>
              </Link>
            </span>
          </p>
        )}
        {row.last_exit && <LastExitCard row={row} exit={row.last_exit} />}
        <Ports row={row} />
        <Networks row={row} />
        <Mounts row={row} />
      </div>
      <aside className="col" aria-label={t`Facts`}>
        <Uses row={row} />
        <Health row={row} />
        <About row={row} />
      </aside>
    </div>
  )
}

function Ports({ row }: { row: ContainerDetail }) {
  return (
    <Section title={t`Ports`}>
      {row.ports.length === 0 ? (
        <p className="muted">
          <Trans>None is published.</Trans>
        </p>
      ) : (
        <div className="table-scroll">
          <table className="plain-table" aria-label={t`Ports`}>
            <thead>
              <tr>
                <th scope="col">{t`On the host`}</th>
                <th scope="col">{t`In the container`}</th>
                <th scope="col">{t`Opens`}</th>
              </tr>
            </thead>
            <tbody>
              {(published(row.ports).length > 0 ? published(row.ports) : row.ports).map((port) => {
                const to = addressOf(port, row.host)
                return (
                  <tr key={`${String(port.host_port)}-${String(port.container_port)}-${port.protocol}`}>
                    <td className="mono">{port.host_port ? bindingsOf(row.ports, port) : <span className="muted">{t`not published`}</span>}</td>
                    <td className="mono">
                      {port.container_port}/{port.protocol}
                    </td>
                    <td>
                      {to ? (
                        <a className="link" href={to} target="_blank" rel="noreferrer">
                          {to}
                        </a>
                      ) : (
                        <span className="muted">{port.host_port ? t`only on the host itself` : '–'}</span>
                      )}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}

function Networks({ row }: { row: ContainerDetail }) {
  const networks = Object.entries(row.networks)
  return (
    <Section title={t`Networks`}>
      {networks.length === 0 ? (
        <p className="muted">
          <Trans>None.</Trans>
        </p>
      ) : (
        <div className="table-scroll">
          <table className="plain-table" aria-label={t`Networks`}>
            <thead>
              <tr>
                <th scope="col">{t`Network`}</th>
                <th scope="col">IPv4</th>
                <th scope="col">{t`Gateway`}</th>
                <th scope="col">{t`Aliases`}</th>
              </tr>
            </thead>
            <tbody>
              {networks.map(([name, endpoint]) => (
                <tr key={name}>
                  <td className="strong">{name}</td>
                  <td className="mono">{text(endpoint.ip_address ?? endpoint.IPAddress ?? endpoint.ipv4) || '–'}</td>
                  <td className="mono">{text(endpoint.gateway ?? endpoint.Gateway) || '–'}</td>
                  <td className="mono">{aliases(endpoint)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}

function aliases(endpoint: Record<string, unknown>): string {
  const found = endpoint.aliases ?? endpoint.Aliases
  return Array.isArray(found) && found.length > 0 ? found.join(', ') : '–'
}

function Mounts({ row }: { row: ContainerDetail }) {
  return (
    <Section title={t`Mounts`}>
      {row.mounts.length === 0 ? (
        <p className="muted">
          <Trans>None.</Trans>
        </p>
      ) : (
        <div className="table-scroll">
          <table className="plain-table" aria-label={t`Mounts`}>
            <thead>
              <tr>
                <th scope="col">{t`In the container`}</th>
                <th scope="col">{t`Source`}</th>
                <th scope="col">{t`Access`}</th>
              </tr>
            </thead>
            <tbody>
              {row.mounts.map((mount) => {
                const target = text(mount.target ?? mount.destination ?? mount.Destination)
                const writable = mount.rw ?? mount.RW ?? mount.read_only === false
                return (
                  <tr key={target}>
                    <td className="mono">{target}</td>
                    <td>
                      <span className="muted">{text(mount.type ?? mount.Type)}</span> <span className="mono">{text(mount.name ?? mount.Name) || text(mount.source ?? mount.Source)}</span>
                    </td>
                    <td>{writable ? t`read, write` : t`read only`}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}

function Uses({ row }: { row: ContainerDetail }) {
  const limit = Number(row.limits.Memory ?? 0)
  const memory = row.memory_bytes
  const cpus = Number(row.limits.NanoCpus ?? 0) / 1e9
  if (row.state !== 'running' || (memory === null && row.cpu_percent === null)) return null
  return (
    <Section title={t`Limits against use`}>
      <ul className="uses">
        <li>
          <span className="use-head">
            <span>{t`Memory`}</span>
            <span>
              <span className="strong">{bytes(memory)}</span> {limit ? <span className="muted">{t`of ${bytes(limit)}`}</span> : <span className="muted">{t`no limit`}</span>}
            </span>
          </span>
          {limit ? <Meter value={((memory ?? 0) / limit) * 100} label={t`Memory used`} /> : null}
        </li>
        <li>
          <span className="use-head">
            <span>{t`CPU`}</span>
            <span>
              <span className="strong">{percent(row.cpu_percent)}</span> <span className="muted">{cpus ? t`of ${percent(cpus * 100, 0)}` : t`no limit`}</span>
            </span>
          </span>
          {cpus ? <Meter value={(row.cpu_percent ?? 0) / cpus} label={t`CPU used`} /> : null}
        </li>
      </ul>
    </Section>
  )
}

function Health({ row }: { row: ContainerDetail }) {
  if (row.health_log.length === 0) return null
  const checks = row.health_log.slice(-30)
  const last = checks.at(-1)
  return (
    <Section title={t`Health`} meta={row.health}>
      <ul className="health" aria-label={t`Last health checks`}>
        {checks.map((check, n) => {
          const good = Number(check.exit_code ?? check.ExitCode) === 0
          return (
            <li key={n} className={good ? 'ok' : 'bad'}>
              <span className="unseen">{good ? t`passed` : t`failed`}</span>
            </li>
          )
        })}
      </ul>
      {last && <p className="meta mono cut">{text(last.output ?? last.Output).slice(0, 200)}</p>}
    </Section>
  )
}

function About({ row }: { row: ContainerDetail }) {
  const restart = text(row.restart_policy.Name)
  return (
    <Section title={t`About`}>
      <Facts
        rows={[
          [t`Image`, row.image.reference],
          [t`Digest`, row.image.digest ? <Copyable key="d" text={row.image.digest} shown={`sha256:${shortId(row.image.digest)}`} label={t`Copy digest`} /> : '–'],
          [t`Id`, row.engine_id ? <Copyable key="i" text={row.engine_id} shown={shortId(row.engine_id)} label={t`Copy id`} /> : '–'],
          [t`Started`, <Ago key="s" at={row.started_at} />],
          [t`Created`, <Ago key="c" at={row.created_at} />],
          [t`Restarts`, String(row.restart_count)],
          ...(restart ? [[t`Policy`, restart] as [string, string]] : []),
          ...(row.command ? [[t`Command`, <code key="m">{row.command}</code>] as [string, React.ReactNode]] : []),
          ...(Object.keys(row.labels).length > 0
            ? [[t`Labels`, <span key="l" className="mono">{Object.entries(row.labels).map(([name, value]) => `${name}=${value}`).join('\n')}</span>] as [string, React.ReactNode]]
            : []),
        ]}
      />
    </Section>
  )
}
