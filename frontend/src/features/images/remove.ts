import { t } from '@lingui/core/macro'
import type { QueryClient } from '@tanstack/react-query'

import { confirm } from '@/lib/confirm'
import { bytes, shortId } from '@/lib/format'
import { press } from '@/lib/orders'
import type { Image } from '@/lib/types'

import { firstOrder } from './api/pull'
import { removeImage } from './api/remove'

export const nameOf = (image: Image): string => image.references[0] ?? shortId(image.digest)

/** From every host that has it; in use is refused by the host, with the users named. */
export async function askRemove(client: QueryClient, image: Image): Promise<void> {
  const name = nameOf(image)
  const list = image.hosts.map((host) => host.name)
  if (!(await confirm({ title: t`Remove ${name}?`, body: t`${bytes(image.size)} on each of these hosts. It can be pulled again.`, list, confirm: t`Remove`, danger: true }))) return
  await press(client, { op: 'image.remove', target: { id: image.id, name }, host: image.hosts.length === 1 ? image.hosts[0] : null, send: async (extra, key) => firstOrder(await removeImage(image.id, image.hosts.map((host) => host.id), extra, key)) })
}
