/** What few containers need: limits of the kernel, its settings, devices, and where the log goes. */
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'

import { Fold, TextField } from '@/components/Form'
import { type Pair, Pairs } from '@/components/Pairs'

import type { SectionProps } from './Sections'

export function KernelSection({ draft, set, errors }: SectionProps) {
  const { ulimits, sysctls, devices, logDriver, logOptions } = draft
  const rows = ulimits.length + sysctls.length + devices.length + logOptions.length
  const used = rows > 0 || logDriver !== ''
  const wrong = (prefix: string, pairs: Pair[]): Record<number, string> =>
    Object.fromEntries(pairs.map((_, n) => [n, errors[`${prefix}-${String(n)}`]] as const).filter((item): item is [number, string] => item[1] !== undefined))
  return (
    <Fold title={t`Kernel, devices, logs`} summary={used ? t`${rows} set` : t`the engine's own`} open={used}>
      <p className="muted">
        <Trans>Limits: a name as nofile, and its value as 1024 or 1024:2048.</Trans>
      </p>
      <Pairs prefix="f-ulimits" pairs={ulimits} errors={wrong('f-ulimits', ulimits)} add={t`Add limit`} onChange={(next) => { set({ ulimits: next }); }} />
      <p className="muted">
        <Trans>Settings of the kernel inside, as net.core.somaxconn.</Trans>
      </p>
      <Pairs prefix="f-sysctls" pairs={sysctls} errors={wrong('f-sysctls', sysctls)} add={t`Add sysctl`} onChange={(next) => { set({ sysctls: next }); }} />
      <p className="muted">
        <Trans>Devices: the path on the host, and where it is to be inside; empty: the same. Needs containers.privileged.</Trans>
      </p>
      <Pairs prefix="f-devices" pairs={devices} errors={wrong('f-devices', devices)} add={t`Add device`} onChange={(next) => { set({ devices: next }); }} />
      <TextField id="f-log-driver" label={t`Log driver`} mono placeholder="json-file" error={errors['f-log-driver']} value={logDriver} onChange={(next) => { set({ logDriver: next }); }} />
      <Pairs prefix="f-log-options" pairs={logOptions} add={t`Add log option`} onChange={(next) => { set({ logOptions: next }); }} />
    </Fold>
  )
}
