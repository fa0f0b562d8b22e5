/** Where a pointer of the server's answer lands in the form: on the row that it speaks of. */
import type { Draft } from './model'

const FIELDS: [RegExp, string][] = [
  [/^\/host/, 'f-host'],
  [/^\/image/, 'f-image'],
  [/^\/name/, 'f-name'],
  [/^\/spec\/Cmd/, 'f-command'],
  [/^\/spec\/Entrypoint/, 'f-entrypoint'],
  [/^\/spec\/WorkingDir/, 'f-dir'],
  [/^\/spec\/StopTimeout/, 'f-stop-timeout'],
  [/^\/spec\/Healthcheck/, 'f-health'],
  [/^\/spec\/HostConfig\/RestartPolicy/, 'f-restart'],
  [/^\/spec\/HostConfig\/Memory/, 'f-memory'],
  [/^\/spec\/HostConfig\/NanoCpus/, 'f-cpus'],
  [/^\/spec\/HostConfig\/PidsLimit/, 'f-pids'],
  [/^\/spec\/HostConfig\/ShmSize/, 'f-shm'],
]

/** A JSON pointer's words: ~1 is a slash, ~0 a tilde. */
const words = (pointer: string): string[] => pointer.split('/').slice(1).map((word) => word.replaceAll('~1', '/').replaceAll('~0', '~'))

/** The n-th of the rows that were sent, by its place in the form; the first row where there is none such. */
function place<Row>(rows: Row[], sent: (row: Row) => boolean, n: number): number {
  return Math.max(0, rows.map((row, at) => (sent(row) ? at : -1)).filter((at) => at >= 0)[n] ?? 0)
}

export function fieldOf(pointer: string, draft: Draft): string {
  const [, part, inner, which, index] = words(pointer)
  if (part === 'Env') return `f-env-${String(place(draft.env, (row) => row.key !== '', Number(inner) || 0))}`
  if (part === 'Labels') return `f-labels-${String(place(draft.labels, (row) => row.key === inner, 0))}`
  if (part === 'ExposedPorts') return `f-port-container-${String(place(draft.ports, (row) => `${row.container}/${row.protocol}` === inner, 0))}`
  if (inner === 'PortBindings') return `f-port-host-${String(place(draft.ports, (row) => `${row.container}/${row.protocol}` === which, Number(index) || 0))}`
  if (inner === 'Ulimits') return `f-ulimits-${String(place(draft.ulimits, (row) => row.key !== '', Number(which) || 0))}`
  if (inner === 'Devices') return `f-devices-${String(place(draft.devices, (row) => row.key !== '', Number(which) || 0))}`
  if (inner === 'Sysctls') return `f-sysctls-${String(place(draft.sysctls, (row) => row.key === which, 0))}`
  if (inner === 'LogConfig') return 'f-log-driver'
  if (inner === 'Mounts') return `f-mount-${String(place(draft.mounts, (row) => row.target !== '', Number(which) || 0))}`
  return FIELDS.find(([pattern]) => pattern.test(pointer))?.[1] ?? ''
}
