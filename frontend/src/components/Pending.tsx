import { t } from '@lingui/core/macro'

import { usePending } from '@/lib/orders'
import type { PendingOrder, ProblemBody } from '@/lib/types'
import { verbDoing } from '@/lib/words'

import { Chip } from './StateChip'

/** What an object is besides present: being made, failed to be made, being removed. */
export function Pending({ row }: { row: { id: string; state: string; pending_order?: PendingOrder | null; problem?: ProblemBody | null } }) {
  const pending = usePending(row.id, row.pending_order)
  if (row.state === 'creation_failed') return <Chip look={{ icon: 's-exited', tone: 'bad', words: t`creation failed`, key: row.state }} />
  if (row.state === 'creating') return <Chip look={{ icon: 's-busy', tone: 'busy', words: t`creating…`, key: row.state }} />
  if (pending) return <Chip look={{ icon: 's-busy', tone: 'busy', words: verbDoing(pending.op), key: row.state }} />
  return null
}
