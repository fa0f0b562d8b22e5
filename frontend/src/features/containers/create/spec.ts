/** The form as the body of Docker's ContainerCreate, and what is wrong with it. Pure. */
import { t } from '@lingui/core/macro'

import type { FormProblem } from '@/components/Form'
import { type Pair, record } from '@/components/Pairs'

import type { Draft, PortRow } from './model'
import { shellWords } from './words'

type Json = Record<string, unknown>
const SECOND = 1_000_000_000
const UNITS: Record<string, number> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** 512m, 1.5 GiB, 1024: bytes; undefined when it is none of these. */
export function parseBytes(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim())
  return found ? Math.round(Number(found[1]) * (UNITS[(found[2] ?? '').toLowerCase()] ?? 1)) : undefined
}

const split = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)
const seconds = (text: string): number | undefined => (text.trim() === '' ? undefined : Math.round(Number(text) * SECOND))

/** Without what is empty: an unset field must not override the image's. */
function compact(object: Json): Json {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && value !== '' && value !== false && !(Array.isArray(value) && value.length === 0) && !(typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0)),
  )
}

export function toSpec(draft: Draft): Json {
  return compact({
    Cmd: shellWords(draft.command).words,
    Entrypoint: shellWords(draft.entrypoint).words,
    WorkingDir: draft.workingDir,
    User: draft.user,
    Hostname: draft.hostname,
    Tty: draft.tty,
    OpenStdin: draft.stdin,
    Env: draft.env.filter((row) => row.key).map((row) => `${row.key}=${row.value}`),
    Labels: record(draft.labels),
    ExposedPorts: Object.fromEntries(draft.ports.filter((port) => port.container).map((port) => [portKey(port), {}])),
    Healthcheck: healthcheck(draft),
    StopSignal: draft.stopSignal,
    StopTimeout: draft.stopTimeout ? Number(draft.stopTimeout) : undefined,
    HostConfig: hostConfig(draft),
    NetworkingConfig: compact({ EndpointsConfig: draft.networks.length > 1 ? Object.fromEntries(draft.networks.filter(Boolean).map((name) => [name, {}])) : {} }),
  })
}

const portKey = (port: PortRow): string => `${port.container}/${port.protocol}`

function hostConfig(draft: Draft): Json {
  const bindings: Record<string, Json[]> = {}
  for (const port of draft.ports) {
    if (!port.container) continue
    ;(bindings[portKey(port)] ??= []).push({ HostIp: port.address, HostPort: port.host })
  }
  const retries = draft.restart === 'on-failure' && draft.retries ? { MaximumRetryCount: Number(draft.retries) } : {}
  return compact({
    PortBindings: bindings,
    PublishAllPorts: draft.publishAll,
    Mounts: draft.mounts.filter((mount) => mount.target).map((mount) => compact({ Type: mount.type, Source: mount.type === 'tmpfs' ? '' : mount.source, Target: mount.target, ReadOnly: mount.readOnly })),
    NetworkMode: draft.networks[0] ?? '',
    Dns: split(draft.dns),
    ExtraHosts: split(draft.extraHosts),
    RestartPolicy: draft.restart === 'no' ? undefined : { Name: draft.restart, ...retries },
    AutoRemove: draft.autoRemove,
    Init: draft.init,
    Memory: parseBytes(draft.memory),
    NanoCpus: draft.cpus ? Math.round(Number(draft.cpus) * SECOND) : undefined,
    PidsLimit: draft.pids ? Number(draft.pids) : undefined,
    ShmSize: parseBytes(draft.shm),
    CapAdd: split(draft.capAdd),
    CapDrop: split(draft.capDrop),
    Privileged: draft.privileged,
    SecurityOpt: draft.noNewPrivileges ? ['no-new-privileges'] : [],
    ReadonlyRootfs: draft.readOnlyRoot,
    Ulimits: draft.ulimits.filter((row) => row.key).map((row) => ulimit(row)),
    Sysctls: record(draft.sysctls),
    Devices: draft.devices.filter((row) => row.key).map((row) => ({ PathOnHost: row.key, PathInContainer: row.value || row.key, CgroupPermissions: 'rwm' })),
    LogConfig: compact({ Type: draft.logDriver, Config: record(draft.logOptions) }),
  })
}

function ulimit(row: Pair): Json {
  const [soft, hard = soft] = row.value.split(':')
  return { Name: row.key, Soft: Number(soft), Hard: Number(hard) }
}

function healthcheck(draft: Draft): Json | undefined {
  if (draft.health === 'none') return { Test: ['NONE'] }
  if (draft.health !== 'own') return undefined
  return compact({
    Test: ['CMD-SHELL', draft.healthCommand],
    Interval: seconds(draft.healthInterval),
    Timeout: seconds(draft.healthTimeout),
    StartPeriod: seconds(draft.healthStart),
    Retries: draft.healthRetries ? Number(draft.healthRetries) : undefined,
  })
}

/** Field id → words. The engine decides in the end; this saves the way there. */
export function problemsOf(draft: Draft): FormProblem[] {
  const found: FormProblem[] = []
  const wrong = (id: string, words: string): void => void found.push({ id, words })
  if (!draft.host) wrong('f-host', t`Choose a host`)
  if (!draft.image.trim()) wrong('f-image', t`Name an image`)
  else if (/\s/.test(draft.image.trim())) wrong('f-image', t`An image reference has no spaces`)
  if (draft.name && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(draft.name)) wrong('f-name', t`A name begins with a letter or digit and has only letters, digits, _ . and -`)
  if (shellWords(draft.command).problem) wrong('f-command', t`A quotation mark of the command is not closed`)
  if (shellWords(draft.entrypoint).problem) wrong('f-entrypoint', t`A quotation mark of the entrypoint is not closed`)
  if (draft.workingDir && !draft.workingDir.startsWith('/')) wrong('f-dir', t`The working directory is an absolute path`)
  const keys = draft.env.map((row) => row.key)
  draft.env.forEach((row, n) => {
    if (row.key.includes('=')) wrong(`f-env-${String(n)}`, t`An environment key has no =`)
    else if (row.key && keys.indexOf(row.key) !== n) wrong(`f-env-${String(n)}`, t`${row.key} is set twice`)
  })
  draft.labels.forEach((row, n) => {
    if (row.key.startsWith('longshore.')) wrong(`f-labels-${String(n)}`, t`Labels that begin with longshore. are Longshore's own`)
  })
  draft.ports.forEach((port, n) => {
    if (!isPort(port.container)) wrong(`f-port-container-${String(n)}`, t`A container port is a number from 1 to 65535`)
    if (port.host && !isPort(port.host)) wrong(`f-port-host-${String(n)}`, t`A host port is a number from 1 to 65535`)
  })
  draft.mounts.forEach((mount, n) => {
    if (!mount.target.startsWith('/') || mount.target === '/') wrong(`f-mount-${String(n)}`, t`A mount's target is an absolute path, not /`)
    if (mount.type === 'bind' && !mount.source.startsWith('/')) wrong(`f-mount-${String(n)}`, t`A bind mount's source is an absolute path on the host`)
  })
  draft.ulimits.forEach((row, n) => {
    if (row.key && !/^-?\d+(:-?\d+)?$/.test(row.value)) wrong(`f-ulimits-${String(n)}`, t`A limit is a number, or soft:hard, as 1024:2048`)
  })
  draft.devices.forEach((row, n) => {
    if (row.key && !(row.key.startsWith('/') && (row.value === '' || row.value.startsWith('/')))) wrong(`f-devices-${String(n)}`, t`A device is an absolute path, on the host and in the container`)
  })
  if (draft.restart !== 'no' && draft.autoRemove) wrong('f-restart', t`A restart policy and removal at exit exclude each other`)
  const memory = draft.memory ? parseBytes(draft.memory) : undefined
  if (draft.memory && memory === undefined) wrong('f-memory', t`Memory is a number with a unit, as 512m or 1g`)
  else if (memory !== undefined && memory < 6 * 1024 ** 2) wrong('f-memory', t`Memory is below 6 MiB`)
  if (draft.cpus && !(Number(draft.cpus) > 0)) wrong('f-cpus', t`CPUs is a number above 0`)
  if (draft.shm && parseBytes(draft.shm) === undefined) wrong('f-shm', t`Shared memory is a number with a unit, as 64m`)
  if (draft.pids && !Number.isInteger(Number(draft.pids))) wrong('f-pids', t`The process limit is a whole number`)
  if (draft.health === 'own' && !draft.healthCommand.trim()) wrong('f-health', t`The health check needs a command`)
  if (draft.stopTimeout && !(Number(draft.stopTimeout) >= 0 && Number(draft.stopTimeout) <= 3600)) wrong('f-stop-timeout', t`The stop timeout is 0 to 3600 s`)
  return found
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535
