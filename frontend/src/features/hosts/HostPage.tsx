import './hosts.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'

import { Ago, Facts, Meter } from '@/components/bits'
import { Button } from '@/components/Button'
import { Icon } from '@/components/Icon'
import { Page, Section } from '@/components/Page'
import { HostState } from '@/components/StateChip'
import { type Crumb, Unloaded } from '@/components/Unloaded'
import { confirm } from '@/lib/confirm'
import { bytes, percent } from '@/lib/format'
import { refOf } from '@/lib/hosts'
import { keys } from '@/lib/keys'
import { press } from '@/lib/orders'
import { wordsOf } from '@/lib/problems'
import { missing } from '@/lib/rights'
import { toast } from '@/lib/toasts'
import type { Host } from '@/lib/types'

import { FailedCheck, failedChecks } from './AddHostDialog'
import { hostQuery } from './api/host'
import { refreshHost } from './api/refresh'
import { revokeHost } from './api/revoke'
import { agentOf, cpuUse, diskUse, engineOf, fact, memoryUse, runningOf, sizeOf } from './facts'
import { EditHostDialog } from './EditHostDialog'
import { LastHour } from './LastHour'
import { PruneDialog } from './PruneDialog'

export function HostPage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(hostQuery(id))
  const host = query.data
  const crumbs: [Crumb] = [{ label: t`Hosts`, to: '/hosts' }]
  if (!host) return <Unloaded title={t`Host`} crumbs={crumbs} query={query} failed={t`The host could not be loaded`} back={t`All hosts`} />
  const failed = failedChecks(host)
  return (
    <Page
      title={host.name}
      focusKey={host.id}
      crumbs={crumbs}
      beside={
        <>
          <HostState host={host} large />
          <span className="meta nowrap beside">
            <Trans>
              last heard of <Ago at={host.last_seen_at} />
            </Trans>
          </span>
        </>
      }
      actions={<Actions host={host} />}
    >
      <div className="split">
        <div className="col">
          {host.state === 'offline' && (
            <div className="alert" role="alert">
              <Icon name="alert" />
              <span>
                <Trans>
                  Offline since <Ago at={host.offline_since ?? host.last_seen_at} />: {host.offline_reason || t`the agent does not answer`}. Orders wait for it.
                </Trans>
              </span>
            </div>
          )}
          <Section title={t`Use`}>
            <Uses host={host} />
          </Section>
          {failed.length > 0 && (
            <Section title={t`Checks`}>
              <ul className="panel checklist">
                {failed.map((check) => (
                  <FailedCheck key={check.name} check={check} />
                ))}
              </ul>
            </Section>
          )}
          <Section title={t`What is on it`}>
            <div className="row wraps">
              {[
                [t`Containers`, '/containers'],
                [t`Volumes`, '/volumes'],
                [t`Networks`, '/networks'],
                [t`Images`, '/images'],
                [t`Events`, '/events'],
                [t`Activity`, '/orders'],
              ].map(([label, to]) => (
                <Link key={to} className="link" to={to ?? '/'} search={{ host: host.name }}>
                  {label}
                </Link>
              ))}
            </div>
          </Section>
          <Policy policy={host.policy} />
          <LastHour host={host} />
        </div>
        <aside className="col" aria-label={t`Facts`}>
          <Section title={t`About`}>
            <Facts
              rows={[
                [t`Engine`, engineOf(host)],
                [t`Agent`, agentOf(host)],
                [t`System`, fact(host, 'os')],
                [t`Kernel`, fact(host, 'kernel')],
                [t`Platform`, fact(host, 'arch')],
                [t`Size`, sizeOf(host) || '–'],
                [t`Address`, host.address || '–'],
                [t`Enrolled`, <Ago key="e" at={host.enrolled_at} />],
                [t`Labels`, Object.entries(host.labels).map(([name, value]) => `${name}=${value}`).join(', ') || '–'],
              ]}
            />
          </Section>
        </aside>
      </div>
    </Page>
  )
}

function Actions({ host }: { host: Host }) {
  const client = useQueryClient()
  const [pruning, setPruning] = useState(false)
  const [editing, setEditing] = useState(false)
  const reason = missing('hosts.manage', host.rights) ?? (host.state === 'revoked' ? t`It is revoked` : undefined)
  async function revoke(): Promise<void> {
    const body = t`Its agent is cut off at once and its key is never accepted again. Its containers go on running.`
    if (!(await confirm({ title: t`Revoke ${host.name}?`, body, confirm: t`Revoke host`, danger: true }))) return
    try {
      await revokeHost(host.id, '')
      await client.invalidateQueries({ queryKey: keys.kind('hosts') })
    } catch (error) {
      toast({ kind: 'bad', title: t`Could not revoke ${host.name}`, detail: wordsOf(error) })
    }
  }
  return (
    <>
      <Button small reason={reason} onClick={() => { setEditing(true); }}>
        <Trans>Edit</Trans>
      </Button>
      <Button small icon="refresh" reason={reason} onClick={() => void press(client, { op: 'host.refresh', target: host, host: refOf(host), send: (extra, key) => refreshHost(host.id, extra, key) })}>
        <Trans>Refresh</Trans>
      </Button>
      <Button small icon="trash" reason={reason} onClick={() => { setPruning(true); }}>
        <Trans>Prune…</Trans>
      </Button>
      <Button small kind="danger-text" reason={reason} onClick={() => void revoke()}>
        <Trans>Revoke host</Trans>
      </Button>
      {editing && <EditHostDialog host={host} onClose={() => { setEditing(false); }} />}
      {pruning && <PruneDialog host={host} onClose={() => { setPruning(false); }} />}
    </>
  )
}

function Uses({ host }: { host: Host }) {
  const disk = diskUse(host)
  const memory = memoryUse(host)
  return (
    <div className="host-uses">
      <Use name={t`CPU`} value={cpuUse(host)} words={percent(cpuUse(host), 0)} />
      <Use name={t`Memory`} value={memory} words={memory === undefined ? '–' : `${bytes(host.memory_bytes)} · ${percent(memory, 0)}`} />
      <Use name={t`Disk`} value={disk} words={disk === undefined ? '–' : t`${bytes(host.disk.used)} of ${bytes(host.disk.total)} · ${percent(disk, 0)}`} />
      <Use name={t`Running containers`} value={undefined} words={runningOf(host) || '–'} />
    </div>
  )
}

function Use({ name, value, words }: { name: string; value: number | undefined; words: string }) {
  return (
    <div>
      <span className="use-head">
        <span>{name}</span>
        <span className="strong">{words}</span>
      </span>
      {value !== undefined && <Meter value={value} label={name} />}
    </div>
  )
}

/** The host's own file, which the control plane cannot override. */
interface Rules {
  read_only?: boolean
  privileged?: boolean
  exec?: boolean
  bind_paths?: string[] | null
  broken?: string
}

function Policy({ policy }: { policy: Rules }) {
  if (Object.keys(policy).length === 0) return null
  const allowed = (yes: boolean | undefined): string => (yes === false ? t`forbidden` : t`allowed`)
  const paths = policy.bind_paths
  return (
    <Section title={t`What the host's own policy allows`}>
      {policy.broken && (
        <p className="bad">
          <Trans>The file cannot be read, so everything is forbidden: {policy.broken}</Trans>
        </p>
      )}
      <Facts
        rows={[
          [t`Changes`, policy.read_only ? t`forbidden: it may only be looked at` : t`allowed`],
          [t`Privileged`, allowed(policy.privileged)],
          [t`Terminals`, allowed(policy.exec)],
          [t`Bind mounts`, !paths ? t`any path` : paths.length > 0 ? t`only of ${paths.join(', ')}` : t`forbidden`],
        ]}
      />
    </Section>
  )
}
