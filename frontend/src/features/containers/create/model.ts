/** What the form holds: only what the person set, never the image's own values. */
import type { Pair } from '@/components/Pairs'

export interface EnvRow extends Pair {
  secret: boolean
}

export interface PortRow {
  address: string
  host: string
  container: string
  protocol: string
}

export interface MountRow {
  type: string
  source: string
  target: string
  readOnly: boolean
}

export interface Draft {
  host: string
  image: string
  pull: string
  name: string
  command: string
  entrypoint: string
  workingDir: string
  user: string
  hostname: string
  tty: boolean
  stdin: boolean
  init: boolean
  env: EnvRow[]
  labels: Pair[]
  ports: PortRow[]
  publishAll: boolean
  mounts: MountRow[]
  networks: string[]
  dns: string
  extraHosts: string
  restart: string
  retries: string
  autoRemove: boolean
  memory: string
  cpus: string
  pids: string
  shm: string
  health: string
  healthCommand: string
  healthInterval: string
  healthTimeout: string
  healthRetries: string
  healthStart: string
  capAdd: string
  capDrop: string
  privileged: boolean
  noNewPrivileges: boolean
  readOnlyRoot: boolean
  /** Name and `soft` or `soft:hard`. */
  ulimits: Pair[]
  sysctls: Pair[]
  /** Path on the host, path in the container: empty for the same. */
  devices: Pair[]
  logDriver: string
  logOptions: Pair[]
  stopSignal: string
  stopTimeout: string
  platform: string
  start: boolean
}

export const EMPTY: Draft = {
  host: '', image: '', pull: 'missing', name: '', command: '', entrypoint: '', workingDir: '', user: '', hostname: '', tty: false, stdin: false, init: false,
  env: [], labels: [], ports: [], publishAll: false, mounts: [], networks: [], dns: '', extraHosts: '', restart: 'no', retries: '', autoRemove: false,
  memory: '', cpus: '', pids: '', shm: '', health: 'image', healthCommand: '', healthInterval: '', healthTimeout: '', healthRetries: '', healthStart: '',
  capAdd: '', capDrop: '', privileged: false, noNewPrivileges: false, readOnlyRoot: false, ulimits: [], sysctls: [], devices: [], logDriver: '', logOptions: [], stopSignal: '', stopTimeout: '', platform: '', start: true,
}

const KEY = 'longshore.draft.container'

export function loadDraft(): Draft {
  try {
    return { ...EMPTY, ...(JSON.parse(sessionStorage.getItem(KEY) ?? '{}') as Partial<Draft>) }
  } catch {
    return EMPTY
  }
}

/** Kept on this device until it is sent; secret values never. */
export function saveDraft(draft: Draft): void {
  const open = { ...draft, env: draft.env.map((row) => (row.secret ? { ...row, value: '' } : row)) }
  sessionStorage.setItem(KEY, JSON.stringify(open))
}

export const dropDraft = (): void => { sessionStorage.removeItem(KEY); }
