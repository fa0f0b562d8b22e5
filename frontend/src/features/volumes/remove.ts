import { t } from '@lingui/core/macro'
import type { QueryClient } from '@tanstack/react-query'

import { request } from '@/lib/api'
import { confirm } from '@/lib/confirm'
import { bytes } from '@/lib/format'
import { press } from '@/lib/orders'
import type { Order, Volume } from '@/lib/types'

/** Data dies here: the name is typed, and the button says what goes. */
export async function askRemove(client: QueryClient, volume: Volume): Promise<Order | null> {
  const size = volume.size === null ? '' : ` (${bytes(volume.size)})`
  const answer = await confirm({
    title: t`Remove volume ${volume.name}?`,
    body: volume.size === null ? t`What it holds cannot be brought back.` : t`Its ${bytes(volume.size)} cannot be brought back.`,
    type: { label: t`Type ${volume.name} to confirm`, name: volume.name },
    confirm: t`Remove volume ${volume.name}${size}`,
    danger: true,
  })
  if (!answer) return null
  return press(client, { op: 'volume.remove', target: volume, host: volume.host, send: (extra, key) => request<Order | undefined>('DELETE', `/api/volumes/${volume.id}/`, { key, params: { confirm: volume.name, ...extra } }) })
}
