/** What the REST API answers, as the pages read it. */
export interface Page<T> {
  results: T[]
  count: number
  next: string | null
  previous: string | null
}

export interface HostRef {
  id: string
  name: string
  online: boolean
}

export type OrderState = 'queued' | 'sent' | 'running' | 'done' | 'failed' | 'expired' | 'cancelled'

export interface PendingOrder {
  id: string
  op: string
  state: OrderState
  waiting_for?: string | null
}

export interface ProblemBody {
  type?: string
  title?: string
  status?: number
  detail?: string
  instance?: string
  code?: string
  params?: Record<string, unknown>
  errors?: { pointer: string; code: string; detail: string }[]
  order?: Order | string | null
}

/** Every row of a list has these. */
export interface Row {
  id: string
  version?: number
}

export interface Container extends Row {
  name: string
  engine_id: string
  host: HostRef
  image: { reference: string; digest: string }
  state: string
  health: string
  exit_code: number | null
  oom_killed: boolean
  ports: Port[]
  labels: Record<string, string>
  command?: string
  observed_at: string | null
  started_at?: string | null
  finished_at?: string | null
  created_at?: string | null
  pending_order: PendingOrder | null
  problem?: ProblemBody | null
  cpu_percent: number | null
  memory_bytes: number | null
  restart_count: number
  rights?: string[]
}

export interface Port {
  host_ip?: string | null
  host_port?: number | null
  container_port: number
  protocol: string
}

export interface LastExit {
  code: number | null
  signal?: string | null
  oom_killed?: boolean
  error?: string | null
  at?: string | null
  ran_for?: number | null
  log_tail?: [string, string, string][] | string[]
  log_kept?: boolean
  order?: string | { id: string; op: string } | null
  actor?: string | { name: string } | null
}

export interface HealthCheck {
  at?: string
  start?: string
  exit_code?: number
  output?: string
}

export interface ContainerDetail extends Container {
  spec: Record<string, unknown> | null
  mounts: Record<string, unknown>[]
  networks: Record<string, Record<string, unknown>>
  health_log: Record<string, unknown>[]
  last_exit: LastExit | null
}

export interface Image extends Row {
  name?: string
  references: string[]
  digest: string
  size: number
  created_at?: string | null
  built_at?: string | null
  hosts: HostRef[]
  containers: number
  os?: string
  architecture?: string
  labels?: Record<string, string>
  rights?: string[]
}

export interface Volume extends Row {
  name: string
  host: HostRef
  driver: string
  state: string
  size: number | null
  mountpoint?: string
  options?: Record<string, string>
  labels?: Record<string, string>
  created_at?: string | null
  used_by?: ({ id: string; name: string } | string)[]
  pending_order?: PendingOrder | null
  problem?: ProblemBody | null
  rights?: string[]
}

export interface Network extends Row {
  name: string
  engine_id: string
  host: HostRef
  driver: string
  scope: string
  state: string
  subnets: { subnet: string; gateway?: string; range?: string }[]
  internal: boolean
  attachable: boolean
  ipv6: boolean
  options?: Record<string, string>
  labels?: Record<string, string>
  containers?: ({ id: string; name: string; ipv4?: string } | string)[] | number
  created_at?: string | null
  pending_order?: PendingOrder | null
  problem?: ProblemBody | null
  rights?: string[]
}

export interface Check {
  name: string
  ok: boolean
  detail?: string
  cure?: string
}

export interface Host extends Row {
  name: string
  state: string
  online?: boolean
  labels: Record<string, string>
  address?: string
  facts: Record<string, unknown>
  engine: Record<string, unknown>
  agent: Record<string, unknown>
  capabilities?: unknown
  policy?: Record<string, unknown>
  checks?: Check[]
  disk?: { total?: number; used?: number } | null
  cpu_percent?: number | null
  memory_bytes?: number | null
  counts?: Record<string, number>
  last_seen_at?: string | null
  offline_since?: string | null
  offline_reason?: string
  enrolled_at?: string | null
  connected_at?: string | null
  inventory_at?: string | null
  rights?: string[]
}

export interface Order extends Row {
  op: string
  target: { type: string; id: string | null; name: string }
  host: HostRef | null
  state: OrderState
  waiting_for?: string | null
  progress: { current?: number | null; total?: number | null; unit?: string; text?: string } | null
  result: Record<string, unknown> | null
  problem: ProblemBody | null
  actor: { id: string; name: string; kind: string } | null
  cause?: string | null
  batch?: string | null
  created_at: string
  sent_at: string | null
  started_at: string | null
  finished_at: string | null
  not_after: string | null
  args?: Record<string, unknown>
}

export interface OrderLine {
  n: number
  at: string
  step: string
  text: string
}

export interface EngineEvent extends Row {
  at: string
  kind: string
  action: string
  object: { id?: string | null; name?: string; engine_id?: string } | null
  host: HostRef | null
  attributes?: Record<string, string>
  order?: string | null
  cause?: string | null
}

export interface AuditEntry extends Row {
  at: string
  actor: { id: string; name: string; kind: string }
  action: string
  target: { type: string; id: string | null; name: string } | null
  host?: { id: string; name: string } | null
  address: string
  result: string
  code?: string
  order?: string | { id: string; state: OrderState } | null
}

export interface ApiToken extends Row {
  name: string
  hint?: string
  scopes: string[]
  hosts: string[]
  addresses: string[]
  created_at: string
  expires_at: string | null
  last_used_at: string | null
  last_used_from: string
}

export interface Repository extends Row {
  name: string
  tags: number
  size: number
  pushed_at?: string | null
  pushed_by?: string | null
  pulls?: number
  rights?: string[]
}

export interface Tag {
  name: string
  digest: string
  size: number
  pushed_at?: string | null
  pushed_by?: string | null
  media_type?: string
}

export interface Me {
  id: string
  username: string
  email?: string
  role?: string
  roles?: string[]
  rights: string[]
  preferences?: Record<string, unknown>
}

export interface Attention {
  kind: string
  type: string
  id: string
  name: string
  host?: HostRef | { id: string; name: string } | null
  state?: string
  detail?: string
  since?: string | null
}

export interface Summary {
  checked_at?: string
  containers: Record<string, number>
  hosts: Record<string, number>
  counts?: Record<string, number>
  attention: Attention[]
}
