/** The one socket of a tab: opened when somebody is signed in, closed after five hidden minutes, resynchronised when shown. */
import type { QueryClient } from '@tanstack/react-query'

import { get, saySignedOut } from './api'
import { setServerTime } from './clock'
import { type Kind, keys } from './keys'
import { LiveCache } from './live'
import { settle } from './orders'
import { type Channel, CLOSE, hurry, type Message, openChannel } from './socket'
import { createStore, useStore } from './store'
import type { Me, Page, Row } from './types'

const HIDDEN_LIMIT = 5 * 60_000
/** None named: all that this person may see. */
const TOPICS: string[] = []

export type Status = 'connecting' | 'connected' | 'reconnecting' | 'offline'
interface Connection {
  status: Status
  /** When the last message had come as the status changed: the age of what is shown. */
  since: number
  /** The server was updated under this page. */
  updated: boolean
}

export const connection = createStore<Connection>({ status: 'connecting', since: Date.now(), updated: false })
export const useConnection = (): Connection => useStore(connection)

let channel: Channel | undefined
let statsIds: string[] = []
let epoch: unknown
let version: unknown
let seq: number | undefined
let lastMessage = Date.now()

export function startLive(client: QueryClient): () => void {
  const cache = new LiveCache(client, fetchRows, (order) => void settle(order, client))
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined
  // What this page shows was asked for after `me` was: hints from there on are wanted, not from when the socket opens.
  const feed = client.getQueryData<Me>(keys.me)?.feed
  if (feed?.epoch) {
    seq = feed.seq
    epoch = feed.epoch
  }

  function open(): void {
    channel = openChannel(
      () => '/ws/events',
      {
        onMessage: (message) => { receive(message, cache, client); },
        onClose: (code, _reason, again) => {
          if (code === CLOSE.signedOut) saySignedOut()
          mark(again ? 'reconnecting' : 'offline')
        },
      },
      { retry: true },
    )
  }
  function onVisibility(): void {
    clearTimeout(hiddenTimer)
    if (document.hidden) {
      hiddenTimer = setTimeout(() => {
        channel?.close()
        channel = undefined
        mark('offline')
      }, HIDDEN_LIMIT)
    } else if (!channel) {
      open()
      void client.invalidateQueries()
    }
  }
  open()
  document.addEventListener('visibilitychange', onVisibility)
  const unsubscribe = client.getQueryCache().subscribe((event) => {
    const answered = event.type === 'updated' && event.action.type === 'success' && !event.action.manual
    if (answered && connection.get().status === 'reconnecting') hurry()
  })
  return () => {
    unsubscribe()
    document.removeEventListener('visibilitychange', onVisibility)
    clearTimeout(hiddenTimer)
    channel?.close()
    channel = undefined
    seq = undefined
    mark('offline')
  }
}

function mark(status: Status): void {
  connection.set((before) => (before.status === status ? before : { ...before, status, since: lastMessage }))
  document.documentElement.dataset.live = status === 'connecting' ? 'reconnecting' : status
}

function receive(message: Message, cache: LiveCache, client: QueryClient): void {
  if (typeof message.seq === 'number' && message.type !== 'hello') seq = message.seq
  if (message.type === 'hello') hello(message, client)
  else if (message.type === 'ping') channel?.send({ type: 'pong' })
  else cache.apply(message)
  lastMessage = Date.now()
}

function hello(message: Message, client: QueryClient): void {
  setServerTime(String(message.server_time))
  const goesOn = seq !== undefined && epoch === message.epoch
  if (!goesOn) seq = Number(message.seq)
  epoch = message.epoch
  // From here on also where nothing is to be caught up with: what comes until the server has read this is wanted.
  channel?.send({ type: 'subscribe', id: 'page', topics: TOPICS, stats_ids: statsIds, since: seq })
  if (!goesOn) void client.invalidateQueries()
  if (version !== undefined && version !== message.version) connection.set((before) => ({ ...before, updated: true }))
  version ??= message.version
  mark('connected')
  hurry()
}

/** CPU and memory of the rows in sight: at most 300 at a time. */
export function watchStats(ids: string[]): void {
  const next = ids.slice(0, 300)
  if (next.join() === statsIds.join()) return
  statsIds = next
  if (connection.get().status === 'connected') channel?.send({ type: 'subscribe', id: 'page', topics: TOPICS, stats_ids: next })
}

async function fetchRows(kind: Kind, ids: string[]): Promise<Row[]> {
  const page = await get<Page<Row>>(`/api/${kind}/`, { id: ids, page_size: 100 })
  return page.results
}
