/** The sections of the form that are rows: environment, ports, mounts, networks. */
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'

import { Button } from '@/components/Button'
import { AreaField, Check, Fold, SelectField, TextField } from '@/components/Form'
import { useList } from '@/lib/lists'
import type { Container, Network } from '@/lib/types'

import type { EnvRow, MountRow, PortRow } from './model'
import type { SectionProps } from './Sections'

const replace = <T,>(rows: T[], at: number, part: Partial<T>): T[] => rows.map((row, n) => (n === at ? { ...row, ...part } : row))
const without = <T,>(rows: T[], at: number): T[] => rows.filter((_, n) => n !== at)

/** Lines of a .env file: comments and empty ones left out, quotation marks around a value taken off. */
export function parseEnv(text: string): EnvRow[] {
  return text
    .split('\n')
    .map((line) => /^\s*(?:export\s+)?([^#=\s][^=\s]*)\s*=\s*(.*?)\s*$/.exec(line))
    .filter((found) => found !== null)
    .map((found) => ({ key: found[1] ?? '', value: (found[2] ?? '').replace(/^(['"])(.*)\1$/, '$2'), secret: false }))
}

export function EnvSection({ draft, set, errors }: SectionProps) {
  const [pasting, setPasting] = useState<string | null>(null)
  const change = (at: number, part: Partial<EnvRow>): void => { set({ env: replace(draft.env, at, part) }); }
  return (
    <Fold title={t`Environment`} summary={draft.env.length > 0 ? t`${draft.env.length} set` : t`none set`} open={draft.env.length > 0}>
      {draft.env.length > 0 && (
        <div className="line-rows">
          {draft.env.map((row, n) => (
            <div key={n} className="line-row env-row">
              <TextField id={`f-env-${String(n)}`} label={t`Key`} mono value={row.key} error={errors[`f-env-${String(n)}`]} onChange={(key) => { change(n, { key }); }} />
              <TextField label={t`Value`} mono type={row.secret ? 'password' : 'text'} value={row.value} onChange={(value) => { change(n, { value }); }} />
              <Check role="switch" label={t`Secret`} checked={row.secret} onChange={(secret) => { change(n, { secret }); }} />
              <Button kind="plain" square icon="x" label={row.key ? t`Remove ${row.key}` : t`Remove row ${n + 1}`} onClick={() => { set({ env: without(draft.env, n) }); }} />
            </div>
          ))}
        </div>
      )}
      <div className="row">
        <Button small icon="plus" onClick={() => { set({ env: [...draft.env, { key: '', value: '', secret: false }] }); }}>
          <Trans>Add environment variable</Trans>
        </Button>
        <Button small kind="plain" onClick={() => { setPasting(pasting === null ? '' : null); }}>
          <Trans>Paste .env</Trans>
        </Button>
      </div>
      {pasting !== null && (
        <>
          <AreaField label={t`Contents of a .env file`} rows={5} value={pasting} onChange={setPasting} />
          <div className="row">
            <Button
              small
              onClick={() => {
                const rows = parseEnv(pasting)
                const keys = new Set(rows.map((row) => row.key))
                set({ env: [...draft.env.filter((row) => row.key && !keys.has(row.key)), ...rows] })
                setPasting(null)
              }}
            >
              <Trans>Take over</Trans>
            </Button>
          </div>
        </>
      )}
    </Fold>
  )
}

export function PortsSection({ draft, set, errors, hostName }: SectionProps) {
  const change = (at: number, part: Partial<PortRow>): void => { set({ ports: replace(draft.ports, at, part) }); }
  const said = draft.ports.filter((port) => port.container).map((port) => `${port.host || t`random`} → ${port.container}/${port.protocol}`)
  return (
    <Fold title={t`Ports`} summary={said.join(', ') || (draft.publishAll ? t`all of the image` : t`none`)} open={draft.ports.length > 0}>
      {draft.ports.length > 0 && (
        <div className="line-rows">
          {draft.ports.map((port, n) => (
            <div key={n} className="line-row port-row">
              <TextField label={t`Host address`} mono placeholder="0.0.0.0" value={port.address} onChange={(address) => { change(n, { address }); }} />
              <TextField id={`f-port-host-${String(n)}`} label={t`Host port`} mono inputMode="numeric" placeholder={t`random`} error={errors[`f-port-host-${String(n)}`]} value={port.host} onChange={(host) => { change(n, { host }); }} />
              <TextField id={`f-port-container-${String(n)}`} label={t`Container port`} mono inputMode="numeric" error={errors[`f-port-container-${String(n)}`]} value={port.container} onChange={(container) => { change(n, { container }); }} />
              <SelectField label={t`Protocol`} value={port.protocol} options={['tcp', 'udp', 'sctp'].map((value) => ({ value, label: value }))} onChange={(protocol) => { change(n, { protocol }); }} />
              <Button kind="plain" square icon="x" label={port.container ? t`Remove port ${port.container}` : t`Remove port row ${n + 1}`} onClick={() => { set({ ports: without(draft.ports, n) }); }} />
            </div>
          ))}
        </div>
      )}
      {hostName && <TakenPorts ports={draft.ports} hostName={hostName} />}
      <div className="row wraps">
        <Button small icon="plus" onClick={() => { set({ ports: [...draft.ports, { address: '', host: '', container: '', protocol: 'tcp' }] }); }}>
          <Trans>Add port</Trans>
        </Button>
        <Check role="switch" label={t`Publish all ports of the image`} checked={draft.publishAll} onChange={(publishAll) => { set({ publishAll }); }} />
      </div>
    </Fold>
  )
}

function TakenPorts({ ports, hostName }: { ports: PortRow[]; hostName: string }) {
  const wanted = ports.filter((port) => port.host)
  const { rows } = useList<Container>('containers', { host: hostName, state: 'running' }, { enabled: wanted.length > 0 })
  const taken = wanted.flatMap((port) => {
    const holder = rows.find((row) => row.ports.some((used) => String(used.host_port) === port.host && used.protocol === port.protocol))
    return holder ? [{ port, holder }] : []
  })
  return taken.map(({ port, holder }) => (
    <p key={port.host + port.protocol} className="warn">
      <Trans>
        {port.host}/{port.protocol} on {hostName} is used by{' '}
        <Link className="link" to="/containers/$id" params={{ id: holder.id }}>
          {holder.name}
        </Link>
        . The engine will refuse to start this container while it runs.
      </Trans>
    </p>
  ))
}

export function MountsSection({ draft, set, errors }: SectionProps) {
  const change = (at: number, part: Partial<MountRow>): void => { set({ mounts: replace(draft.mounts, at, part) }); }
  return (
    <Fold title={t`Mounts`} summary={draft.mounts.map((mount) => mount.target).filter(Boolean).join(', ') || t`none`} open={draft.mounts.length > 0}>
      {draft.mounts.length > 0 && (
        <div className="line-rows">
          {draft.mounts.map((mount, n) => (
            <div key={n} className="line-row mount-row">
              <SelectField label={t`Type`} value={mount.type} options={['volume', 'bind', 'tmpfs'].map((value) => ({ value, label: value }))} onChange={(type) => { change(n, { type }); }} />
              <TextField label={t`Source`} mono disabled={mount.type === 'tmpfs'} placeholder={mount.type === 'bind' ? '/srv/data' : t`volume name`} value={mount.source} onChange={(source) => { change(n, { source }); }} />
              <TextField id={`f-mount-${String(n)}`} label={t`Target`} mono placeholder="/data" error={errors[`f-mount-${String(n)}`]} value={mount.target} onChange={(target) => { change(n, { target }); }} />
              <Check label={t`Read-only`} checked={mount.readOnly} onChange={(readOnly) => { change(n, { readOnly }); }} />
              <Button kind="plain" square icon="x" label={mount.target ? t`Remove mount ${mount.target}` : t`Remove mount row ${n + 1}`} onClick={() => { set({ mounts: without(draft.mounts, n) }); }} />
            </div>
          ))}
        </div>
      )}
      <div className="row">
        <Button small icon="plus" onClick={() => { set({ mounts: [...draft.mounts, { type: 'volume', source: '', target: '', readOnly: false }] }); }}>
          <Trans>Add mount</Trans>
        </Button>
      </div>
      {draft.mounts.some((mount) => mount.type === 'bind') && (
        <p className="bad">
          <Trans>A bind mount needs containers.privileged and a path that the host's own policy allows.</Trans>
        </p>
      )}
    </Fold>
  )
}

export function NetworkSection({ draft, set, hostName }: SectionProps) {
  const { rows } = useList<Network>('networks', { host: hostName ?? '', order: 'name' }, { enabled: hostName !== undefined })
  const names = [...new Set(['bridge', 'host', 'none', ...rows.map((row) => row.name)])]
  const options = [{ value: '', label: t`bridge (default)` }, ...names.filter((name) => name !== 'bridge').map((value) => ({ value, label: value }))]
  const networks = draft.networks.length > 0 ? draft.networks : ['']
  const alone = networks.some((name) => name === 'host' || name === 'none')
  return (
    <Fold title={t`Network`} summary={draft.networks.filter(Boolean).join(', ') || 'bridge'} open={draft.networks.length > 0}>
      <div className="line-rows">
        {networks.map((name, n) => (
          <div key={n} className="line-row network-row">
            <SelectField label={t`Network`} value={name} options={options} onChange={(value) => { set({ networks: networks.map((before, at) => (at === n ? value : before)).filter((item, at) => item || at > 0 || networks.length > 1) }); }} />
            {networks.length > 1 && <Button kind="plain" square icon="x" label={t`Remove network ${name || 'bridge'}`} onClick={() => { set({ networks: without(networks, n) }); }} />}
          </div>
        ))}
      </div>
      <div className="row">
        <Button small icon="plus" reason={alone ? t`host and none stand alone` : undefined} onClick={() => { set({ networks: [networks[0] || 'bridge', ...networks.slice(1), ''] }); }}>
          <Trans>Add network</Trans>
        </Button>
      </div>
    </Fold>
  )
}
