/** A small fleet for pages without a back end: every state that a page has to draw. */
const NOW = Date.now()
export const iso = (secondsAgo: number): string => new Date(NOW - secondsAgo * 1000).toISOString()
export const uuid = (kind: number, n: number): string => `0193a2f4-00${kind.toString().padStart(2, '0')}-7000-8000-${n.toString().padStart(12, '0')}`

type Row = Record<string, unknown> & { id: string }
const GIB = 1024 ** 3
const MIB = 1024 ** 2
const RIGHTS = ['hosts.view', 'hosts.manage', 'hosts.enrol', 'containers.view', 'containers.operate', 'containers.create', 'containers.remove', 'containers.logs', 'containers.exec', 'containers.privileged', 'images.view', 'images.pull', 'images.build', 'images.remove', 'volumes.view', 'volumes.manage', 'networks.view', 'networks.manage', 'registry.pull', 'registry.push', 'registry.manage', 'orders.cancel', 'audit.view']
export const me = { id: uuid(0, 1), username: 'admin', email: '', kind: 'user', roles: ['owner'], rights: RIGHTS, preferences: {} }

const NAMES = ['web-1', 'web-2', 'db-1', 'edge-2']
export const hosts: Row[] = NAMES.map((name, n) => {
  const online = name !== 'edge-2'
  return {
    id: uuid(1, n), version: 1, name, state: online ? 'online' : 'offline', labels: { zone: 'a' }, address: `10.20.0.${String(10 + n)}`,
    facts: { os: 'Debian GNU/Linux 12', kernel: '6.1.0-28-amd64', architecture: 'x86_64', cpus: 8, memory_bytes: 16 * GIB, arch: 'x86_64' },
    engine: { name: n === 2 ? 'docker' : 'longshore', version: n === 2 ? '20.10.24' : '0.1.0', api_version: '1.47', driver: 'overlayfs' }, agent: { version: '0.1.0' },
    capabilities: [], policy: { privileged: false, exec: true, bind_paths: ['/srv'] },
    checks: [{ name: 'overlayfs', ok: true }, { name: 'Swap accounting', ok: false, detail: 'off: memory limits will not bound swap.', cure: 'add swapaccount=1 to the kernel command line' }],
    disk: { total: 400 * GIB, used: (n === 2 ? 352 : 180) * GIB }, cpu_percent: online ? 20 + n * 17 : null, memory_bytes: online ? (6 + n * 3.4) * GIB : null,
    counts: { running: 12 + n, containers: 14 + n }, last_seen_at: iso(online ? 2 : 10_800), offline_since: online ? null : iso(10_800), offline_reason: online ? '' : 'agent lost: connection reset',
    enrolled_at: iso(4e6), connected_at: iso(90_000), inventory_at: iso(60), rights: RIGHTS,
  }
})
const ref = (n: number) => ({ id: hosts[n]?.id, name: hosts[n]?.name, online: hosts[n]?.state === 'online' })

type Shape = [name: string, host: number, image: string, state: string, more?: Record<string, unknown>]
const SHAPES: Shape[] = [
  ['payments-worker', 1, 'payments/worker:2.14.0', 'exited', { exit_code: 137, oom_killed: true }],
  ['search-indexer', 1, 'opensearch-ingest:1.9.2', 'restarting', { restart_count: 7 }],
  ['checkout-api', 0, 'shop/checkout:5.3.1', 'running', { health: 'unhealthy', ports: [{ host_ip: '0.0.0.0', host_port: 8443, container_port: 443, protocol: 'tcp' }] }],
  ['mail-relay', 0, 'boky/postfix:4.4.0', 'exited', { exit_code: 1 }],
  ['legacy-cron', 2, 'alpine:3.18', 'dead'],
  ['telegraf', 3, 'telegraf:1.32', 'running'],
  ['mqtt', 3, 'eclipse-mosquitto:2.0.20', 'running', { pending_order: { id: uuid(6, 3), op: 'container.stop', state: 'queued', waiting_for: 'host' } }],
  ['report-runner', 1, 'bi/runner:0.31.4', 'paused'],
  ['payments-api', 1, 'registry.acme.internal/payments/api:2.14.0', 'running', { health: 'healthy', pending_order: { id: uuid(6, 4), op: 'container.restart', state: 'sent' }, ports: [{ host_ip: '0.0.0.0', host_port: 8080, container_port: 8080, protocol: 'tcp' }] }],
  ['storefront', 0, 'shop/storefront:11.0.0', 'running', { health: 'starting' }],
  ['new-one', 0, 'nginx:1.27', 'creating', { engine_id: '' }],
  ['broken', 0, 'nowhere/nothing:1', 'creation_failed', { engine_id: '', problem: { code: 'not_found', status: 404, detail: 'No such image: nowhere/nothing:1' } }],
  ['db-migrate', 2, 'payments/api:2.14.0', 'exited', { exit_code: 0 }],
  ['runner-7f2', 0, 'gitea/act_runner:0.2.11', 'created'],
  ...Array.from({ length: 12 }, (_, n): Shape => [`service-${String(n + 1)}`, n % 3, 'redis:7.4.1-alpine', 'running', { health: n % 2 ? 'healthy' : '', ports: [{ host_ip: '0.0.0.0', host_port: 6379 + n, container_port: 6379, protocol: 'tcp' }] }]),
]
const LOG_TAIL = [[iso(850), 'o', 'level=warn msg="export buffer above 90 %" bytes=474218496'], [iso(849), 'e', 'runtime: cannot allocate 67108864-byte block (536870912 in use)']]
export const containers: Row[] = SHAPES.map(([name, host, image, state, more], n) => ({
  id: uuid(2, n), version: 1, name, engine_id: `4be1d20c77ae${String(n).padStart(52, '0')}`, host: ref(host), image: { reference: image, digest: `sha256:9f21c07be41a${'0'.repeat(52)}` },
  state, health: '', exit_code: null, oom_killed: false, ports: [], labels: { app: name }, command: '/app/serve', observed_at: iso(host === 3 ? 10_800 : 2), created_at: iso(300_000), started_at: iso(9000 + n * 3000), finished_at: iso(840),
  pending_order: null, cpu_percent: 2.4 + n, memory_bytes: (40 + n * 31) * MIB, restart_count: 0, rights: RIGHTS, attention: n,
  spec: {}, limits: { Memory: 512 * MIB, NanoCpus: 2e9 }, restart_policy: { Name: 'unless-stopped' }, addresses: [], network_names: [],
  mounts: [{ type: 'volume', name: 'payments_exports', target: '/var/lib/exports', rw: true }, { type: 'bind', source: '/srv/config.toml', target: '/etc/config.toml', rw: false }],
  networks: { payments_default: { ip_address: '172.20.0.6', gateway: '172.20.0.1', aliases: ['api', name] } },
  health_log: [0, 1, 1, 0, 0, 0].map((exit_code) => ({ exit_code, output: 'GET /healthz 200' })),
  last_exit: state === 'created' || state === 'creating' ? null : { code: 137, oom_killed: name === 'payments-worker', error: '', at: iso(840), ran_for: 1860, log_tail: LOG_TAIL, log_kept: true, signal: 9, order: null, actor: null },
  ...more,
}))
export const images: Row[] = ['shop/checkout:5.3.1', 'redis:7.4.1-alpine', 'registry.acme.internal/payments/api:2.14.0', ''].map((reference, n) => ({
  id: uuid(3, n), version: 1, name: reference, references: reference ? [reference, ...(n === 1 ? ['redis:7'] : [])] : [], digest: `sha256:${String(n)}f21c07be41a${'0'.repeat(52)}`, size: (31 + n * 177) * MIB, created_at: iso(86_400 * (n + 1)), hosts: [ref(0), ref(n % 3)].slice(0, n === 0 ? 1 : 2), containers: n * 3, os: 'linux', architecture: 'amd64', rights: RIGHTS,
}))
export const volumes: Row[] = ['db-data', 'payments_exports', 'cache'].map((name, n) => ({ id: uuid(4, n), version: 1, name, host: ref(n), driver: 'local', state: n === 2 ? 'creating' : 'present', size: n === 2 ? null : 4.2 * GIB, mountpoint: `/var/lib/longshore/engine/volumes/${name}/_data`, options: {}, labels: {}, created_at: iso(900_000), used_by: n === 0 ? [{ id: uuid(2, 8), name: 'payments-api', path: '/data' }] : [], rights: RIGHTS }))
export const networks: Row[] = ['bridge', 'payments_default', 'edge'].map((name, n) => ({ id: uuid(5, n), version: 1, name, engine_id: `77${String(n)}`.padEnd(64, 'a'), host: ref(n), driver: 'bridge', scope: 'local', state: 'present', subnets: [{ subnet: `172.${String(17 + n)}.0.0/16`, gateway: `172.${String(17 + n)}.0.1` }], internal: false, attachable: false, ipv6: false, containers: n === 1 ? [{ id: uuid(2, 8), name: 'payments-api', ipv4: '172.18.0.6' }] : [], created_at: iso(900_000), rights: RIGHTS }))

const actor = { id: uuid(0, 1), name: 'admin', kind: 'user' }
const order = (n: number, op: string, target: Record<string, unknown>, state: string, more: Record<string, unknown> = {}): Row => ({
  id: uuid(6, n), version: 1, op, target, host: ref(1), state, waiting_for: null, progress: null, result: null, problem: null, actor, cause: null, batch: null, created_at: iso(60 + n * 400), sent_at: iso(59.9 + n * 400), started_at: iso(59.8 + n * 400), finished_at: state === 'done' || state === 'failed' ? iso(20 + n * 400) : null, not_after: iso(-86_400), with_credential: false, ...more,
})
export const orders: Row[] = [
  order(0, 'image.pull', { type: 'image', id: null, name: 'bi/runner:0.32.0' }, 'running', { progress: { current: 412 * MIB, total: 607 * MIB, unit: 'bytes', text: '36.4 MiB/s' } }),
  order(1, 'image.build', { type: 'image', id: null, name: 'shop/storefront:11.0.1' }, 'failed', { problem: { title: 'Step 3 failed', detail: "'npm run build' ended with exit 1" } }),
  order(2, 'container.start', { type: 'container', id: uuid(2, 8), name: 'payments-api' }, 'done'),
  order(3, 'container.stop', { type: 'container', id: uuid(2, 6), name: 'mqtt' }, 'queued', { waiting_for: 'host', host: ref(3), sent_at: null, started_at: null }),
  order(4, 'container.restart', { type: 'container', id: uuid(2, 8), name: 'payments-api' }, 'sent', { started_at: null }),
  order(5, 'volume.create', { type: 'volume', id: uuid(4, 0), name: 'db-data' }, 'done'),
]
export const repositories: Row[] = ['payments/api', 'shop/storefront'].map((name, n) => ({ id: uuid(7, n), version: 1, name, tags: 3 + n, size: (120 + n * 55) * MIB, pushed_at: iso(3000), pushed_by: 'ci-token', pulls: 14 }))
export const tags = ['2.14.1', '2.14.0', 'latest'].map((name) => ({ name, digest: `sha256:9f21c07be41a${'0'.repeat(52)}`, size: 84 * MIB, pushed_at: iso(3000), pushed_by: 'ci-token' }))
export const events: Row[] = ['die', 'start', 'oom', 'health_status: unhealthy'].map((action, n) => ({ id: uuid(8, n), at: iso(30 + n * 60), kind: 'container', action, object: { id: uuid(2, n), name: containers[n]?.name }, host: ref(n % 3), attributes: action === 'die' ? { exitCode: '137' } : {}, order: null }))
export const audit: Row[] = ['container.start', 'container.remove', 'user.sign-in'].map((action, n) => ({ id: uuid(9, n), at: iso(30 + n * 600), actor, action, target: { type: 'container', id: uuid(2, n), name: containers[n]?.name }, host: ref(0), address: '10.20.0.34', result: n === 1 ? 'refused' : 'accepted', code: n === 1 ? 'missing_right' : '', order: n === 0 ? { id: uuid(6, 2), state: 'done' } : null }))
export const tokens: Row[] = [{ id: uuid(10, 0), name: 'ci', hint: 'ls_7f2a', scopes: ['containers.view', 'images.pull'], hosts: [], addresses: [], created_at: iso(900_000), expires_at: iso(-5_000_000), last_used_at: iso(120), last_used_from: '10.20.0.7' }]
export const summary = {
  checked_at: iso(1),
  containers: { running: 17, exited: 3, paused: 1, restarting: 1, created: 1, dead: 1, creating: 1, creation_failed: 1 },
  hosts: { online: 3, offline: 1 },
  counts: { containers: 26, images: 4, volumes: 3, networks: 3, hosts: 4 },
  attention: [
    { kind: 'oom', type: 'container', id: uuid(2, 0), name: 'payments-worker', host: ref(1), state: 'exited', detail: 'exit 137 at 512 MiB of 512 MiB', since: iso(240) },
    { kind: 'restart_loop', type: 'container', id: uuid(2, 1), name: 'search-indexer', host: ref(1), state: 'restarting', detail: '7 times in 10 min', since: iso(12) },
    { kind: 'host_offline', type: 'host', id: uuid(1, 3), name: 'edge-2', host: null, detail: 'agent lost: connection reset', since: iso(10_800) },
    { kind: 'order_failed', type: 'order', id: uuid(6, 1), op: 'image.build', name: 'shop/storefront:11.0.1', host: ref(1), detail: 'npm run build ended with exit 1', since: iso(1080) },
    { kind: 'disk', type: 'host', id: uuid(1, 2), name: 'db-1', host: ref(2), detail: '48 GiB left', since: iso(3600) },
  ],
}
