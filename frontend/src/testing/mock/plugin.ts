/** A stand-in for the back end while pages are drawn: `vite --mode mock`. Never part of a build. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Plugin } from 'vite'
import { type WebSocket, WebSocketServer } from 'ws'

import * as data from './data.ts'

type Row = Record<string, unknown> & { id: string }
const LISTS = data as unknown as Record<string, Row[]>
const INSPECT = { Id: '4be1d20c77ae', Name: '/payments-api', State: { Status: 'running', Pid: 4711 }, Config: { Env: ['PATH=/usr/bin', 'TOKEN=••••••'] } }

function listed(kind: string, query: URLSearchParams): unknown {
  let rows = LISTS[kind] ?? []
  for (const name of ['state', 'health', 'op', 'kind', 'driver', 'result', 'id', 'name']) {
    const wanted = query.getAll(name)
    if (wanted.length > 0) rows = rows.filter((row) => wanted.includes(String(row[name])))
  }
  const hosts = query.getAll('host')
  if (hosts.length > 0) rows = rows.filter((row) => hosts.includes((row.host as { name?: string } | undefined)?.name ?? ''))
  const search = query.get('search')?.toLowerCase()
  if (search) rows = rows.filter((row) => JSON.stringify(row).toLowerCase().includes(search))
  const size = Number(query.get('page_size') ?? 100)
  return { results: rows.slice(0, size), count: rows.length, next: null, previous: null }
}

function part(kind: string, id: string, name: string): unknown {
  if (name === 'inspect') return { observed_at: null, live: true, inspect: INSPECT }
  if (name === 'tags') return { results: data.tags }
  if (name === 'used-by') return { results: [{ id: data.containers[8]?.id, name: 'payments-api', state: 'running', host: { name: 'web-2' } }] }
  if (name === 'history' && kind === 'images') return { results: [{ created_by: '/bin/sh -c #(nop)  CMD ["redis-server"]', size: 0 }, { created_by: 'ADD rootfs.tar.gz / ', size: 8_000_000 }] }
  if (name === 'history') return { results: [{ type: 'order', at: data.iso(800), action: 'container.start', op: 'container.start', state: 'done', id: data.orders[2]?.id, order: data.orders[2]?.id, exit_code: null, actor: { name: 'admin' } }, { type: 'event', at: data.iso(840), action: 'die', exit_code: 137, order: null, actor: null }] }
  if (name === 'stats') return { step: 10, points: Array.from({ length: 360 }, (_, n) => ({ at: data.iso(3600 - n * 10), cpu_percent: 20 + 15 * Math.sin(n / 20), memory_bytes: 3e8 + 5e7 * Math.sin(n / 31), memory_limit: 5.3e8, net_rx: 1e5 * (1 + Math.sin(n / 9)), net_tx: 4e4 })) }
  return data.orders[2] ?? { id }
}

function answer(request: IncomingMessage, response: ServerResponse): boolean {
  const url = new URL(request.url ?? '/', 'http://mock')
  if (!url.pathname.startsWith('/api/')) return false
  const [kind = '', id = '', name = ''] = url.pathname.slice(5).split('/').filter(Boolean)
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'Content-Type': status >= 400 ? 'application/problem+json' : 'application/json' })
    response.end(JSON.stringify(body))
  }
  if (kind === 'me') send(200, data.me)
  else if (kind === 'summary') send(200, data.summary)
  else if (kind === 'auth') send(id === 'browser' && request.method === 'POST' ? 400 : 200, { status: 400, errors: [{ code: 'username_password_mismatch' }] })
  else if (request.method === 'POST' && kind === 'enrolments') send(201, { id: 'e', join_string: 'j', host: { id: data.hosts[0]?.id, name: 'web-4', state: 'pending', engine: {}, checks: [] }, command: "printf %s 'https://fleet.acme.internal#b71f0c9e#lj_4Qm8sV2hYd0wZr9tKx1nPb6c' | sudo scripts/join", expires_at: data.iso(-900) })
  else if (request.method === 'POST' && kind === 'tokens') send(201, { ...data.tokens[0], token: 'ls_7f2a0123456789' })
  else if (request.method === 'POST' && name === 'execs') send(201, { id: 'x' })
  else if (request.method === 'POST' && name === 'prune') send(200, { reclaimable: { images: { count: 3, bytes: 9e8 }, containers: { count: 2, bytes: 4e6 } } })
  else if (request.method !== 'GET') send(202, data.orders[4])
  else if (id && name) send(200, part(kind, id, name))
  else if (id) {
    const row = LISTS[kind]?.find((item) => item.id === id)
    send(row ? 200 : 404, row ?? { title: 'Not found', detail: 'Not found, or you have no access', code: 'not_found', status: 404 })
  } else send(LISTS[kind] ? 200 : 404, LISTS[kind] ? listed(kind, url.searchParams) : { title: 'Not found', status: 404 })
  return true
}

function talk(socket: WebSocket, path: string): void {
  const say = (message: unknown): void => { socket.send(JSON.stringify(message)); }
  const timers: NodeJS.Timeout[] = []
  socket.on('close', () => { timers.forEach((timer) => { clearInterval(timer); }); })
  if (path.endsWith('/events')) say({ type: 'hello', seq: 1, epoch: 'mock', server_time: new Date().toISOString(), version: '0.1.0' })
  else if (path.endsWith('/logs')) {
    const line = (n: number): [string, string, string] => [new Date().toISOString(), n % 7 === 0 ? 'e' : 'o', n % 5 === 0 ? `\u001b[33mwarn\u001b[0m export buffer above ${String(n)} %` : `request method=POST path=/v1/charges status=201 took=${String(n)}ms`]
    say({ type: 'lines', n: 120, lines: Array.from({ length: 120 }, (_, n) => line(n)) })
    say({ type: 'mark', kind: 'restarted', at: new Date().toISOString() })
    let n = 120
    timers.push(setInterval(() => { n += 1; say({ type: 'lines', n, lines: [line(n)] }) }, 400))
  } else if (path.endsWith('/stats')) {
    let n = 0
    timers.push(setInterval(() => { n += 1; say({ type: 'sample', at: new Date().toISOString(), cpu_percent: 12 + 8 * Math.sin(n / 5), memory_bytes: 4.1e8, memory_limit: 5.3e8, net: { eth0: [n * 9000, n * 3000] } }) }, 1000))
  } else if (path.endsWith('/exec')) {
    say({ type: 'ready', session: 's' })
    socket.send(Buffer.from('/ # '))
    socket.on('message', (bytes: Buffer, binary: boolean) => {
      if (binary) socket.send(bytes.toString().replaceAll('\r', '\r\n/ # ') === '' ? bytes : Buffer.from(bytes.toString().replaceAll('\r', '\r\n/ # ')))
    })
  } else if (path.includes('/orders/')) {
    if (path.endsWith(String(data.orders[0]?.id))) say({ type: 'layers', layers: ['c7e1f2a90b14', '91b2d8c07f6e', 'e83f19ab5d02', 'd25e70c1fb94'].map((id, at) => ({ id, phase: ['exists', 'done', 'downloading', 'waiting'][at], current: at === 2 ? 6e7 : 0, total: 1e8 })) })
    if (path.endsWith(String(data.orders[1]?.id))) say({ type: 'steps', steps: ['FROM node:22-alpine AS build', 'COPY . .', 'RUN npm run build', 'EXPOSE 8080'].map((name, at) => ({ n: at + 1, name, state: ['done', 'done', 'failed', 'waiting'][at], cached: at === 0, ms: at < 3 ? 1200 * (at + 1) : null })) })
    for (const n of [1, 2, 3]) say({ type: 'line', n, at: new Date().toISOString(), step: '', text: n === 1 ? 'Step 3/4 : RUN npm run build' : `line ${String(n)} of the output` })
  }
}

export function mockServer(): Plugin {
  return {
    name: 'longshore-mock',
    configureServer(server) {
      const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'longshore.v1' })
      server.middlewares.use((request, response, next) => {
        if (!answer(request, response)) next()
      })
      server.httpServer?.on('upgrade', (request, socket, head) => {
        const path = new URL(request.url ?? '/', 'http://mock').pathname
        if (path.startsWith('/ws/')) sockets.handleUpgrade(request, socket, head, (open) => { talk(open, path); })
      })
    },
  }
}
