import './orders.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'

import { Ago, Copyable, Facts } from '@/components/bits'
import { Button } from '@/components/Button'
import { StateIcon } from '@/components/Icon'
import { Page, Section } from '@/components/Page'
import { OrderState } from '@/components/StateChip'
import { type Crumb, Unloaded } from '@/components/Unloaded'
import { plain } from '@/lib/ansi'
import { clock, duration } from '@/lib/format'
import { follow } from '@/lib/orders'
import { wordsOf } from '@/lib/problems'
import { useRight } from '@/lib/rights'
import { toast } from '@/lib/toasts'
import type { Order, OrderLine } from '@/lib/types'
import { orderTitle } from '@/lib/words'

import { cancelOrder } from './api/cancel'
import { orderQuery } from './api/order'
import { retryOrder } from './api/retry'
import { BuildSteps } from './BuildSteps'
import { useOrderProgress } from './progress'
import { PullProgress } from './PullProgress'
import { RetryDialog } from './RetryDialog'

const OPEN = ['queued', 'sent']
const WRITES = ['image.pull', 'image.build', 'image.push']
const TARGETS: Record<string, string> = { container: '/containers', image: '/images', volume: '/volumes', network: '/networks', host: '/hosts' }

export function OrderPage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(orderQuery(id))
  const order = query.data
  const crumbs: [Crumb] = [{ label: t`Activity`, to: '/orders' }]
  if (!order) return <Unloaded title={t`Order`} crumbs={crumbs} query={query} failed={t`The order could not be loaded`} back={t`All activity`} />
  return <Loaded key={order.id} order={order} crumbs={crumbs} />
}

function Loaded({ order, crumbs }: { order: Order; crumbs: { label: string; to: string }[] }) {
  const progress = useOrderProgress(order.id)
  const who = order.actor.name || t`Longshore`
  const build = order.op === 'image.build'
  return (
    <Page
      title={orderTitle(order.op, order.target.name)}
      focusKey={order.id}
      crumbs={crumbs}
      beside={
        <>
          <OrderState state={order.state} large />
          <span className="meta beside">
            <Trans>
              on {order.host.name} · <Ago at={order.created_at} /> by {who}
            </Trans>
          </span>
        </>
      }
      actions={<Actions order={order} />}
    >
      <div className="split">
        <div className="col">
          {order.state === 'queued' && order.waiting_for === 'host' && (
            <p className="row">
              <StateIcon icon="s-offline" tone="muted" />
              <Trans>{order.host?.name} is offline. The order waits for it until {order.not_after ? clock(order.not_after, false) : '–'}.</Trans>
            </p>
          )}
          {(order.problem ?? order.state === 'expired') && (
            <div className="failure" role="alert">
              <h2>{order.state === 'expired' ? t`The host did not come back in time` : t`It failed`}</h2>
              <p className="wrap">{order.problem?.detail}</p>
            </div>
          )}
          {order.op === 'image.pull' && <PullProgress order={order} layers={progress.layers} />}
          {build && <BuildSteps order={order} steps={progress.steps} lines={progress.lines} />}
          {(!build || progress.steps.length === 0) && <Output lines={progress.lines} />}
          {!order.problem && progress.lines.length === 0 && !WRITES.includes(order.op) && (
            <p className="muted">
              <Trans>This order has no output.</Trans>
            </p>
          )}
        </div>
        <aside className="col" aria-label={t`Facts`}>
          <Section title={t`Order`}>
            <Timeline order={order} />
          </Section>
          <Section title={t`About`}>
            <Facts
              rows={[
                [t`Host`, order.host ? <Link key="h" className="link" to="/hosts/$id" params={{ id: order.host.id }}>{order.host.name}</Link> : '–'],
                [t`Target`, <Target key="t" order={order} />],
                [t`Runs until`, order.not_after ? clock(order.not_after, false) : '–'],
                [t`Id`, <Copyable key="i" text={order.id} shown={order.id.slice(-12)} label={t`Copy id`} />],
              ]}
            />
          </Section>
        </aside>
      </div>
    </Page>
  )
}

function Target({ order }: { order: Order }) {
  const base = TARGETS[order.target.type]
  if (!base || !order.target.id) return order.target.name
  return (
    <Link className="link" to={`${base}/${order.target.id}`}>
      {order.target.name}
    </Link>
  )
}

function Actions({ order }: { order: Order }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const mayCancel = useRight('orders.cancel')
  const [asking, setAsking] = useState(false)
  async function run(what: (id: string) => Promise<Order>): Promise<void> {
    try {
      const next = await what(order.id)
      follow(next, client)
      if (next.id !== order.id) await navigate({ to: '/orders/$id', params: { id: next.id } })
    } catch (error) {
      toast({ kind: 'bad', title: t`Not possible`, detail: wordsOf(error) })
    }
  }
  const ended = ['failed', 'expired', 'cancelled'].includes(order.state)
  return (
    <>
      {OPEN.includes(order.state) && (
        <Button small reason={mayCancel ? undefined : t`Needs orders.cancel`} onClick={() => void run(cancelOrder)}>
          <Trans>Cancel order</Trans>
        </Button>
      )}
      {ended && (
        <Button small kind="primary" icon="refresh" onClick={() => { if (order.with_credential) setAsking(true); else void run(retryOrder) }}>
          <Trans>Retry</Trans>
        </Button>
      )}
      {asking && (
        <RetryDialog
          order={order}
          onClose={() => { setAsking(false); }}
          onRetry={(credential) => {
            setAsking(false)
            void run((id) => retryOrder(id, credential))
          }}
        />
      )}
    </>
  )
}

function Timeline({ order }: { order: Order }) {
  const start = Date.parse(order.created_at)
  const after = (at: string | null): string => (at ? `+${duration((Date.parse(at) - start) / 1000)}` : '')
  const end = { done: t`Done`, failed: t`Failed`, expired: t`Expired`, cancelled: t`Cancelled` }[order.state as string] ?? t`Done`
  const steps: [string, boolean, string][] = [
    [t`Queued`, true, clock(order.created_at)],
    [t`Sent`, order.sent_at !== null, after(order.sent_at)],
    [t`Running`, order.started_at !== null, after(order.started_at)],
    [end, order.finished_at !== null, after(order.finished_at)],
  ]
  const bad = order.state === 'failed' || order.state === 'expired'
  return (
    <ol className="timeline">
      {steps.map(([name, reached, at], n) => (
        <li key={name}>
          <StateIcon icon={!reached ? 's-created' : n === 3 && bad ? 's-exited' : 's-healthy'} tone={!reached ? 'muted' : n === 3 && bad ? 'bad' : 'ok'} label={reached ? t`Done` : t`Waiting`} />
          <span className={reached ? 'strong' : 'muted'}>{name}</span>
          <span className="meta">{at}</span>
        </li>
      ))}
    </ol>
  )
}

function Output({ lines }: { lines: OrderLine[] }) {
  if (lines.length === 0) return null
  return (
    <Section title={t`Output`} meta={lines.length === 1 ? t`1 line` : t`${lines.length} lines, kept with the order`}>
      <pre className="tail" tabIndex={0} aria-label={t`Output`}>
        {lines.map((line) => (
          <span key={line.n} className="line">
            <time dateTime={line.at}>{clock(line.at)}</time>
            {line.step && <span className="muted">{line.step} </span>}
            {plain(line.text)}
          </span>
        ))}
      </pre>
    </Section>
  )
}
