import { t } from '@lingui/core/macro'

import { useNow } from '@/lib/clock'
import { age, ago } from '@/lib/format'
import { usePending } from '@/lib/orders'
import type { Container, Host } from '@/lib/types'
import { containerLook, hostLook, type Look, orderLook, orderStateWord, stale, verbDoing, verbWord } from '@/lib/words'

import { StateIcon } from './Icon'

interface ChipProps {
  look: Look
  /** Beside the h1: a pill that is also a status. */
  large?: boolean
  /** What the status is of: State, Order. */
  of?: 'state' | 'order'
  asOf?: string | undefined
  pending?: string | undefined
  pendingName?: string | undefined
  /** Why, on hover: of a creation that failed. */
  reason?: string | undefined
}

/** What a host reported, in icon and words; beside it what was asked for and is not yet confirmed. */
export function Chip({ look, large, of = 'state', asOf, pending, pendingName, reason }: ChipProps) {
  const said = [look.words, look.more, asOf].filter(Boolean).join(' ')
  const whole = pendingName ? `${said}, ${pendingName}` : said
  const name = of === 'order' ? t`Order: ${whole}` : t`State: ${whole}`
  const short = pending ? look.words.replace(/, .*/, '') : look.words
  return (
    <span title={reason} className={`state ${look.tone}${large ? ' large' : ''}`} {...(large && { role: 'status', 'aria-label': name })}>
      {large && <span className="unseen">{of === 'order' ? t`Order:` : t`State:`} </span>}
      <StateIcon icon={look.icon} {...(!large && { label: name })} />
      <span className="words">{short}</span>
      {look.more && !pending && <span className="more">{look.more}</span>}
      {asOf && !pending && <span className="more">{asOf}</span>}
      {pending && <span className="pending">· {pending}</span>}
    </span>
  )
}

const queued = (op: string): string => t`${verbWord(op)} queued`

/** An order that its host has not taken yet, said in full. */
export const waiting = (op: string): string => t`${queued(op)}, waiting for host`

export function ContainerState({ row, large = false }: { row: Container; large?: boolean }) {
  const now = useNow()
  const pending = usePending(row.id, row.pending_order)
  const isStale = !row.host.online && row.state !== 'creating' && row.state !== 'creation_failed'
  const look = containerLook(row)
  const asOf = isStale && row.observed_at ? t`as of ${ago(row.observed_at, now)}` : undefined
  const waits = pending !== null && (pending.waiting || !row.host.online)
  const doing = pending ? (waits ? queued(pending.op) : pending.state === 'running' ? verbDoing(pending.op) : `${verbDoing(pending.op)} ${orderStateWord(pending.state)}`) : undefined
  return (
    <Chip
      look={isStale ? stale(look) : look}
      large={large}
      asOf={asOf}
      pending={doing}
      reason={row.problem?.detail}
      pendingName={waits ? waiting(pending.op) : doing}
    />
  )
}

export function HostState({ host, large = false }: { host: Host; large?: boolean }) {
  const now = useNow()
  const look = hostLook(host.state)
  const since = host.offline_since ?? host.last_seen_at
  const words = host.state === 'offline' && since ? t`offline for ${age((now - Date.parse(since)) / 1000)}` : look.words
  return <Chip look={{ ...look, words }} large={large} />
}

export function OrderState({ state, large = false }: { state: string; large?: boolean }) {
  return <Chip look={orderLook(state)} large={large} of="order" />
}
