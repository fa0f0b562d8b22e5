import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'

import { Button } from '@/components/Button'
import { Check, Fold, SelectField, TextField } from '@/components/Form'
import { Pairs } from '@/components/Pairs'

import { KernelSection } from './KernelSection'
import type { Draft } from './model'
import { EnvSection, MountsSection, NetworkSection, PortsSection } from './RowSections'

export interface SectionProps {
  draft: Draft
  set: (change: Partial<Draft>) => void
  errors: Record<string, string>
  hostName: string | undefined
}

/** Everything that image and host do not need: folded, each closed line says its present value. */
export function Sections(props: SectionProps) {
  return (
    <>
      <EnvSection {...props} />
      <PortsSection {...props} />
      <MountsSection {...props} />
      <NetworkSection {...props} />
      <RestartSection {...props} />
      <ResourcesSection {...props} />
      <HealthSection {...props} />
      <LabelsSection {...props} />
      <SecuritySection {...props} />
      <KernelSection {...props} />
      <AdvancedSection {...props} />
    </>
  )
}

function RestartSection({ draft, set, errors }: SectionProps) {
  return (
    <Fold title={t`Restart policy`} summary={draft.autoRemove ? t`removed when it exits` : draft.restart} open={draft.restart !== 'no'}>
      <SelectField
        id="f-restart"
        label={t`Policy`}
        value={draft.restart}
        options={['no', 'on-failure', 'unless-stopped', 'always'].map((value) => ({ value, label: value }))}
        hint={t`Only unless-stopped and always come back after a reboot of the host.`}
        error={errors['f-restart']}
        onChange={(restart) => { set({ restart }); }}
      />
      {draft.restart === 'on-failure' && <TextField label={t`At most`} hint={t`Restarts; empty: without end.`} inputMode="numeric" value={draft.retries} onChange={(retries) => { set({ retries }); }} />}
      <Check label={t`Remove when it exits`} checked={draft.autoRemove} onChange={(autoRemove) => { set({ autoRemove }); }} />
    </Fold>
  )
}

function ResourcesSection({ draft, set, errors }: SectionProps) {
  const said = [draft.memory && t`memory ${draft.memory}`, draft.cpus && t`${draft.cpus} CPUs`].filter(Boolean).join(', ')
  return (
    <Fold title={t`Resources`} summary={said || t`no limits`} open={said !== ''}>
      <div className="two-fields">
        <TextField id="f-memory" label={t`Memory`} mono placeholder="512m" error={errors['f-memory']} value={draft.memory} onChange={(memory) => { set({ memory }); }} />
        <TextField id="f-cpus" label={t`CPUs`} mono placeholder="1.5" inputMode="decimal" error={errors['f-cpus']} value={draft.cpus} onChange={(cpus) => { set({ cpus }); }} />
        <TextField id="f-pids" label={t`Process limit`} mono placeholder="2048" inputMode="numeric" error={errors['f-pids']} value={draft.pids} onChange={(pids) => { set({ pids }); }} />
        <TextField id="f-shm" label={t`Shared memory`} mono placeholder="64m" error={errors['f-shm']} value={draft.shm} onChange={(shm) => { set({ shm }); }} />
      </div>
    </Fold>
  )
}

function HealthSection({ draft, set, errors }: SectionProps) {
  const words: Record<string, string> = { image: t`the image’s own`, none: t`none`, own: draft.healthCommand || t`own command` }
  return (
    <Fold title={t`Healthcheck`} summary={words[draft.health] ?? ''} open={draft.health !== 'image'}>
      <SelectField
        label={t`Health check`}
        value={draft.health}
        options={[
          { value: 'image', label: t`The image’s own` },
          { value: 'none', label: t`None` },
          { value: 'own', label: t`Own command` },
        ]}
        onChange={(health) => { set({ health }); }}
      />
      {draft.health === 'own' && (
        <>
          <TextField id="f-health" label={t`Shell command`} mono placeholder="wget -qO- localhost/healthz" error={errors['f-health']} value={draft.healthCommand} onChange={(healthCommand) => { set({ healthCommand }); }} />
          <div className="two-fields">
            <TextField label={t`Interval in seconds`} placeholder="30" inputMode="decimal" value={draft.healthInterval} onChange={(healthInterval) => { set({ healthInterval }); }} />
            <TextField label={t`Timeout in seconds`} placeholder="30" inputMode="decimal" value={draft.healthTimeout} onChange={(healthTimeout) => { set({ healthTimeout }); }} />
            <TextField label={t`Start period in seconds`} placeholder="0" inputMode="decimal" value={draft.healthStart} onChange={(healthStart) => { set({ healthStart }); }} />
            <TextField label={t`Retries`} placeholder="3" inputMode="numeric" value={draft.healthRetries} onChange={(healthRetries) => { set({ healthRetries }); }} />
          </div>
        </>
      )}
    </Fold>
  )
}

function LabelsSection({ draft, set, errors }: SectionProps) {
  const found = Object.fromEntries(draft.labels.map((_, n) => [n, errors[`f-labels-${String(n)}`]]).filter(([, words]) => words !== undefined)) as Record<number, string>
  return (
    <Fold title={t`Labels`} summary={draft.labels.length > 0 ? t`${draft.labels.length} set` : t`none`} open={draft.labels.length > 0}>
      <Pairs prefix="f-labels" pairs={draft.labels} add={t`Add label`} errors={found} onChange={(labels) => { set({ labels }); }} />
    </Fold>
  )
}

function SecuritySection({ draft, set }: SectionProps) {
  const changed = [draft.privileged && t`privileged`, draft.readOnlyRoot && t`read-only root`, draft.capAdd && `+${draft.capAdd}`, draft.capDrop && `-${draft.capDrop}`].filter(Boolean).join(', ')
  return (
    <Fold title={t`Security`} summary={changed || t`default`} open={changed !== ''}>
      <TextField label={t`Add capabilities`} mono placeholder="NET_ADMIN" value={draft.capAdd} onChange={(capAdd) => { set({ capAdd }); }} />
      <TextField label={t`Drop capabilities`} mono placeholder="ALL" value={draft.capDrop} onChange={(capDrop) => { set({ capDrop }); }} />
      <Check label={t`Read-only root filesystem`} checked={draft.readOnlyRoot} onChange={(readOnlyRoot) => { set({ readOnlyRoot }); }} />
      <Check label={t`No new privileges`} checked={draft.noNewPrivileges} onChange={(noNewPrivileges) => { set({ noNewPrivileges }); }} />
      <Check label={t`Privileged`} checked={draft.privileged} onChange={(privileged) => { set({ privileged }); }} />
      {(draft.privileged || draft.capAdd) && (
        <p className="bad">
          <Trans>Needs containers.privileged: it reaches past what keeps containers apart from their host.</Trans>
        </p>
      )}
    </Fold>
  )
}

function AdvancedSection({ draft, set, errors }: SectionProps) {
  return (
    <Fold title={t`Advanced`} summary={t`entrypoint, user, stop signal, DNS`}>
      <SelectField
        label={t`Pull`}
        value={draft.pull}
        options={[
          { value: 'missing', label: t`If it is missing` },
          { value: 'always', label: t`Always` },
          { value: 'never', label: t`Never` },
        ]}
        onChange={(pull) => { set({ pull }); }}
      />
      <TextField id="f-entrypoint" label={t`Entrypoint`} mono error={errors['f-entrypoint']} value={draft.entrypoint} onChange={(entrypoint) => { set({ entrypoint }); }} />
      <div className="two-fields">
        <TextField id="f-dir" label={t`Working directory`} mono error={errors['f-dir']} value={draft.workingDir} onChange={(workingDir) => { set({ workingDir }); }} />
        <TextField label={t`User`} mono placeholder="1000:1000" value={draft.user} onChange={(user) => { set({ user }); }} />
        <TextField label={t`Hostname`} mono value={draft.hostname} onChange={(hostname) => { set({ hostname }); }} />
        <TextField label={t`Stop signal`} mono placeholder="SIGTERM" value={draft.stopSignal} onChange={(stopSignal) => { set({ stopSignal }); }} />
        <TextField id="f-stop-timeout" label={t`Stop timeout in seconds`} placeholder="10" inputMode="numeric" error={errors['f-stop-timeout']} value={draft.stopTimeout} onChange={(stopTimeout) => { set({ stopTimeout }); }} />
        <TextField label={t`DNS servers`} mono value={draft.dns} onChange={(dns) => { set({ dns }); }} />
      </div>
      <TextField label={t`Extra hosts`} mono placeholder="db:10.0.0.4" value={draft.extraHosts} onChange={(extraHosts) => { set({ extraHosts }); }} />
      <Check label={t`Terminal (TTY)`} checked={draft.tty} onChange={(tty) => { set({ tty }); }} />
      <Check label={t`Keep standard input open`} checked={draft.stdin} onChange={(stdin) => { set({ stdin }); }} />
      <Check label={t`Init process`} checked={draft.init} onChange={(init) => { set({ init }); }} />
      <div className="row">
        <Button small kind="plain" onClick={() => { set({ entrypoint: '', workingDir: '', user: '', hostname: '', stopSignal: '', stopTimeout: '', dns: '', extraHosts: '', tty: false, stdin: false, init: false, pull: 'missing' }); }}>
          <Trans>Back to the defaults</Trans>
        </Button>
      </div>
    </Fold>
  )
}
