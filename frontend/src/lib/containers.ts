/** The verbs on a container: which fit its state, what is asked before, what is sent. */
import { t } from '@lingui/core/macro'
import { type QueryClient, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'

import { newKey, post, request } from './api'
import { confirm } from './confirm'
import { press } from './orders'
import { wordsOf } from './problems'
import { missing } from './rights'
import { toast } from './toasts'
import type { Container, Order } from './types'

export const VERBS = ['start', 'stop', 'restart', 'kill', 'pause', 'unpause', 'remove'] as const
export type Verb = (typeof VERBS)[number]

interface VerbFacts {
  icon: string
  right: string
  fits: (state: string) => boolean
}

const up = ['running', 'paused', 'restarting']

export const FACTS: Record<Verb, VerbFacts> = {
  start: { icon: 'play', right: 'containers.operate', fits: (state) => ['created', 'exited', 'dead'].includes(state) },
  stop: { icon: 'stop', right: 'containers.operate', fits: (state) => up.includes(state) },
  restart: { icon: 'restart', right: 'containers.operate', fits: (state) => [...up, 'exited', 'created'].includes(state) },
  kill: { icon: 'kill', right: 'containers.operate', fits: (state) => up.includes(state) },
  pause: { icon: 'pause', right: 'containers.operate', fits: (state) => state === 'running' },
  unpause: { icon: 'play', right: 'containers.operate', fits: (state) => state === 'paused' },
  remove: { icon: 'trash', right: 'containers.remove', fits: (state) => state !== 'removing' && state !== 'removed' },
}

type Target = Pick<Container, 'id' | 'name' | 'host'> & { state: string; rights?: string[] }

export function refusal(verb: Verb, row: Pick<Target, 'rights' | 'host'>): string | undefined {
  return missing(FACTS[verb].right, row.rights, row.host.name)
}

async function mayRun(verb: Verb, row: Target): Promise<{ volumes: boolean } | null> {
  if (verb === 'kill') {
    const body = t`It gets SIGKILL and no time to finish what it does.`
    return (await confirm({ title: t`Kill ${row.name}?`, body, confirm: t`Kill`, danger: true })) ? { volumes: false } : null
  }
  if (verb !== 'remove') return { volumes: false }
  const running = up.includes(row.state)
  const answer = await confirm({
    title: t`Remove ${row.name}?`,
    body: running ? t`It is running and will be killed. Lost for good: its writable layer. Kept: its named volumes.` : t`Lost for good: its writable layer. Kept: its named volumes.`,
    check: t`Also remove anonymous volumes`,
    confirm: t`Remove`,
    danger: true,
  })
  return answer && { volumes: answer.checked }
}

export async function runVerb(client: QueryClient, verb: Verb, row: Target): Promise<Order | null> {
  const may = await mayRun(verb, row)
  if (!may) return null
  const path = `/api/containers/${row.id}/`
  return press(client, {
    op: `container.${verb}`,
    target: row,
    host: row.host,
    send: (extra, key) =>
      verb === 'remove'
        ? request<Order | undefined>('DELETE', path, { key, params: { force: up.includes(row.state), volumes: may.volumes, ...extra } })
        : post<Order>(`${path}${verb}/`, extra, { key }),
  })
}

interface BatchAnswer {
  batch: string
  orders: (Order | string)[]
  refused: { id: string; problem: { detail?: string } }[]
}

/** What a verb on many takes away, said before it runs. */
function costOf(verb: Verb, rows: Target[]): string {
  if (verb === 'kill') return t`They get SIGKILL and no time to finish what they do.`
  if (verb !== 'remove') return ''
  const running = rows.filter((row) => up.includes(row.state)).length
  const lost = t`Lost for good: their writable layers. Kept: volumes.`
  return running > 0 ? t`Running and to be killed: ${running}. ${lost}` : lost
}

/** One request for many; one toast that counts. */
export async function runBatch(client: QueryClient, verb: Verb, rows: Target[], label: string): Promise<void> {
  if (rows.length === 1 && rows[0]) {
    await runVerb(client, verb, rows[0])
    return
  }
  if (['stop', 'kill', 'remove'].includes(verb)) {
    const question = { title: t`${label} ${rows.length} containers?`, body: costOf(verb, rows), list: rows.map((row) => `${row.name} (${row.host.name})`), confirm: label, danger: verb !== 'stop' }
    if (!(await confirm(question))) return
  }
  try {
    const options = verb === 'remove' ? { options: { force: true } } : {}
    const answer = await post<BatchAnswer>('/api/containers/batch/', { action: verb, ids: rows.map((row) => row.id), ...options }, { key: newKey() })
    const refused = answer.refused.length
    const detail = refused > 0 ? t`${refused} refused: ${answer.refused[0]?.problem.detail ?? ''}` : ''
    toast({ kind: refused > 0 ? 'bad' : 'ok', title: t`${label}: ${answer.orders.length} ordered`, detail, link: '/orders' })
    void client.invalidateQueries({ queryKey: ['orders'] })
    void client.invalidateQueries({ queryKey: ['containers'] })
  } catch (error) {
    toast({ kind: 'bad', title: t`Could not do it: ${label}`, detail: wordsOf(error) })
  }
}

export function useContainerVerbs(): { run: (verb: Verb, row: Target) => void; batch: (verb: Verb, rows: Target[], label: string) => Promise<void> } {
  const client = useQueryClient()
  return useMemo(
    () => ({
      run: (verb, row) => void runVerb(client, verb, row),
      batch: (verb, rows, label) => runBatch(client, verb, rows, label),
    }),
    [client],
  )
}
