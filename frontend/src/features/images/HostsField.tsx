import { t } from '@lingui/core/macro'

import { PickField } from '@/components/Form'
import { useHostChoices } from '@/lib/hosts'

/** The host that an order goes to; "all that are online" is one order for each. */
export const ALL = 'all'

export function HostsField({ value, onChange, error, all = false }: { value: string; onChange: (value: string) => void; error?: string | undefined; all?: boolean }) {
  const { hosts, options } = useHostChoices()
  const more = all && hosts.length > 1 ? [{ value: ALL, label: t`All online hosts` }] : []
  return <PickField id="f-host" label={t`Host`} value={value} options={[...options, ...more]} placeholder={t`Choose a host`} error={error} onChange={onChange} />
}
