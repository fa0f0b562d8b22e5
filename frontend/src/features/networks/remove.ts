import { t } from '@lingui/core/macro'
import type { QueryClient } from '@tanstack/react-query'

import { request } from '@/lib/api'
import { confirm } from '@/lib/confirm'
import { press } from '@/lib/orders'
import { missing } from '@/lib/rights'
import type { Network, Order } from '@/lib/types'

const FIXED = ['bridge', 'host', 'none']

export function refusal(network: Network): string | undefined {
  return FIXED.includes(network.name) ? t`Every engine has this network` : missing('networks.manage', network.rights, network.host.name)
}

export async function askRemove(client: QueryClient, network: Network): Promise<Order | null> {
  const body = t`A network that a container uses is not removed.`
  if (!(await confirm({ title: t`Remove ${network.name}?`, body, confirm: t`Remove`, danger: true }))) return null
  return press(client, { op: 'network.remove', target: network, host: network.host, send: (extra, key) => request<Order | undefined>('DELETE', `/api/networks/${network.id}/`, { key, params: { ...extra } }) })
}
