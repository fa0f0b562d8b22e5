import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { Button } from '@/components/Button'
import { Dialog } from '@/components/Dialog'
import { Check } from '@/components/Form'
import { Bones, Failure } from '@/components/Fallbacks'
import { bytes } from '@/lib/format'
import { refOf } from '@/lib/hosts'
import { press } from '@/lib/orders'
import type { Host } from '@/lib/types'

import { PRUNE_KINDS, pruneHost, type Reclaimable, wouldPrune } from './api/prune'

/** What would go and how much it holds, before anything goes. Volumes are never among it. */
export function PruneDialog({ host, onClose }: { host: Host; onClose: () => void }) {
  const client = useQueryClient()
  const [kinds, setKinds] = useState<string[]>([...PRUNE_KINDS])
  const { data, error, isPending, refetch } = useQuery({ queryKey: ['prune', host.id], queryFn: () => wouldPrune(host.id, [...PRUNE_KINDS]), staleTime: 0, gcTime: 0, retry: false })
  const words: Record<string, string> = { containers: t`Stopped containers`, images: t`Unused images`, networks: t`Unused networks` }
  const total = kinds.reduce((sum, kind) => sum + amount(data, kind).bytes, 0)
  function run(): void {
    onClose()
    void press(client, { op: 'system.prune', target: host, host: refOf(host), send: (extra, key) => pruneHost(host.id, kinds, extra, key) })
  }
  return (
    <Dialog onClose={onClose} title={t`Prune ${host.name}`}>
      <div className="dialog-body stack">
        {isPending && <Bones lines={4} />}
        {error && <Failure title={t`What would go is not known`} error={error} retry={() => void refetch()} />}
        {data &&
          PRUNE_KINDS.map((kind) => {
            const found = amount(data, kind)
            return (
              <span key={kind} className="row">
                <Check label={words[kind] ?? kind} checked={kinds.includes(kind)} onChange={(on) => { setKinds(on ? [...kinds, kind] : kinds.filter((item) => item !== kind)); }} />
                <span className="grow" />
                <span className="muted">{[found.count > 0 && t`${found.count} of them`, found.bytes > 0 && bytes(found.bytes)].filter(Boolean).join(', ') || t`nothing`}</span>
              </span>
            )
          })}
        <p className="muted">
          <Trans>Named volumes stay.</Trans>
        </p>
      </div>
      <div className="dialog-foot">
        <Button data-autofocus onClick={onClose}>
          <Trans>Cancel</Trans>
        </Button>
        <Button kind="danger" reason={data && kinds.length > 0 ? undefined : t`Nothing is chosen`} onClick={run}>
          {total > 0 ? t`Prune ${bytes(total)}` : t`Prune`}
        </Button>
      </div>
    </Dialog>
  )
}

function amount(data: Reclaimable | undefined, kind: string): { count: number; bytes: number } {
  return data?.reclaimable[kind] ?? { count: 0, bytes: 0 }
}
