/** The API's words as people say them: verbs of orders, states of containers and hosts. */
import { t } from '@lingui/core/macro'

export type Tone = 'ok' | 'muted' | 'busy' | 'warn' | 'bad'

/** The verb of an operation, as its button says it. */
export function verbWord(op: string): string {
  const verb = op.split('.')[1] ?? op
  const words: Record<string, string> = {
    create: t`Create`, start: t`Start`, stop: t`Stop`, restart: t`Restart`, kill: t`Kill`, pause: t`Pause`, unpause: t`Resume`,
    remove: t`Remove`, rename: t`Rename`, update: t`Update`, commit: t`Commit`, pull: t`Pull`, build: t`Build`, push: t`Push`,
    tag: t`Tag`, prune: t`Prune`, import: t`Import`, connect: t`Connect`, disconnect: t`Disconnect`, refresh: t`Refresh`,
  }
  return words[verb] ?? op
}

/** The same while it happens. */
export function verbDoing(op: string): string {
  const verb = op.split('.')[1] ?? op
  const words: Record<string, string> = {
    create: t`Creating…`, start: t`Starting…`, stop: t`Stopping…`, restart: t`Restarting…`, kill: t`Killing…`, pause: t`Pausing…`,
    unpause: t`Resuming…`, remove: t`Removing…`, rename: t`Renaming…`, update: t`Updating…`, commit: t`Committing…`,
    pull: t`Pulling…`, build: t`Building…`, push: t`Pushing…`, tag: t`Tagging…`, prune: t`Pruning…`, connect: t`Connecting…`, disconnect: t`Disconnecting…`, refresh: t`Refreshing…`,
  }
  return words[verb] ?? `${op}…`
}

export const orderTitle = (op: string, target: string): string => `${verbWord(op)} ${target}`.trim()

export function orderStateWord(state: string): string {
  const words: Record<string, string> = {
    queued: t`queued`, sent: t`sent`, running: t`running`, done: t`done`, failed: t`failed`, expired: t`expired`, cancelled: t`cancelled`,
  }
  return words[state] ?? state
}

export interface Look {
  icon: string
  tone: Tone
  words: string
  more?: string
  /** What `data-state` of a row says. */
  key: string
}

export interface Observed {
  state: string
  health: string
  exit_code: number | null
  oom_killed: boolean
  restart_count: number
}

/** Icon, colour and words of a container's state; the shape carries the state, the colour only helps. */
export function containerLook(row: Observed): Look {
  const code = row.exit_code === null ? '' : String(row.exit_code)
  switch (row.state) {
    case 'running':
      if (row.health === 'healthy') return { icon: 's-healthy', tone: 'ok', words: t`running, healthy`, key: 'running' }
      if (row.health === 'unhealthy') return { icon: 's-unhealthy', tone: 'bad', words: t`unhealthy`, key: 'running' }
      if (row.health === 'starting') return { icon: 's-busy', tone: 'busy', words: t`starting…`, key: 'running' }
      return { icon: 's-running', tone: 'ok', words: t`running`, key: 'running' }
    case 'paused':
      return { icon: 's-paused', tone: 'warn', words: t`paused`, key: 'paused' }
    case 'restarting':
      return { icon: 's-loop', tone: 'bad', words: t`restarting again and again`, more: `${String(row.restart_count)}×`, key: 'restarting' }
    case 'created':
      return { icon: 's-created', tone: 'muted', words: t`created`, key: 'created' }
    case 'creating':
      return { icon: 's-busy', tone: 'busy', words: t`creating…`, key: 'creating' }
    case 'creation_failed':
      return { icon: 's-exited', tone: 'bad', words: t`creation failed`, key: 'creation_failed' }
    case 'removing':
      return { icon: 's-busy', tone: 'busy', words: t`removing…`, key: 'removing' }
    case 'removed':
      return { icon: 's-exited-ok', tone: 'muted', words: t`removed`, key: 'removed' }
    case 'dead':
      return { icon: 's-dead', tone: 'bad', words: t`dead`, key: 'dead' }
    case 'exited':
      if (row.oom_killed) return { icon: 's-oom', tone: 'bad', words: t`out of memory`, more: code, key: 'exited' }
      if (row.exit_code) return { icon: 's-exited', tone: 'bad', words: t`exited ${code}`, key: 'exited' }
      return { icon: 's-exited-ok', tone: 'muted', words: t`exited`, key: 'exited' }
    default:
      return { icon: 's-created', tone: 'muted', words: row.state, key: row.state }
  }
}

const HATCHED: Record<string, string> = { 's-exited': 's-stale-exited', 's-exited-ok': 's-stale-exited', 's-oom': 's-stale-exited', 's-dead': 's-stale-exited', 's-unhealthy': 's-stale-unhealthy', 's-loop': 's-stale-unhealthy' }

/** The same state when the host that said it is out of reach. */
export const stale = (look: Look): Look => ({ ...look, icon: HATCHED[look.icon] ?? 's-stale-running', tone: 'muted' })

export function hostLook(state: string): Look {
  switch (state) {
    case 'online':
      return { icon: 's-online', tone: 'ok', words: t`online`, key: state }
    case 'pending':
      return { icon: 's-created', tone: 'muted', words: t`waiting for its agent`, key: state }
    case 'stale':
      return { icon: 's-stale-running', tone: 'warn', words: t`not heard of`, key: state }
    case 'revoked':
      return { icon: 's-offline', tone: 'muted', words: t`revoked`, key: state }
    default:
      return { icon: 's-offline', tone: 'bad', words: t`offline`, key: state }
  }
}

export function orderLook(state: string): Look {
  const words = orderStateWord(state)
  if (state === 'done') return { icon: 's-healthy', tone: 'ok', words, key: state }
  if (state === 'failed' || state === 'expired') return { icon: 's-exited', tone: 'bad', words, key: state }
  if (state === 'cancelled') return { icon: 's-exited-ok', tone: 'muted', words, key: state }
  if (state === 'queued') return { icon: 's-created', tone: 'busy', words, key: state }
  return { icon: 's-busy', tone: 'busy', words, key: state }
}
