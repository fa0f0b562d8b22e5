import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'

import { Ago } from '@/components/bits'
import { StateIcon } from '@/components/Icon'
import { plain } from '@/lib/ansi'
import { exitTitle, exitWords } from '@/lib/exits'
import { clock, duration } from '@/lib/format'
import type { ContainerDetail, LastExit } from '@/lib/types'

/** Why it died: the code in words, the engine's own error, when, for how long it ran, who had asked, its last lines. */
export function LastExitCard({ row, exit }: { row: ContainerDetail; exit: LastExit }) {
  const bad = exit.oom_killed || (exit.code ?? 0) !== 0
  const icon = exit.oom_killed ? 's-oom' : bad ? 's-exited' : 's-exited-ok'
  const tail = exit.log_tail
  return (
    <section className="panel last-exit" aria-label={t`Last exit`}>
      <div className="exit-head">
        <StateIcon icon={icon} tone={bad ? 'bad' : 'muted'} />
        <h2>
          <Trans>Last exit: {exitTitle(exit)}</Trans>
        </h2>
        <span className="meta">
          <Ago at={exit.at} />
        </span>
      </div>
      <p className="exit-words">
        {exitWords(exit)}
        {exit.error && ` ${exit.error}`}
      </p>
      <dl className="exit-facts">
        <Fact name={t`When`}>{exit.at ? clock(exit.at) : '–'}</Fact>
        <Fact name={t`Ran for`}>{duration(exit.ran_for)}</Fact>
        <Fact name={t`Restarts`}>{row.restart_count}</Fact>
        <Fact name={t`Ended by`}>
          <By exit={exit} />
        </Fact>
      </dl>
      <div className="tail-head">
        <h3>
          <Trans>Last lines</Trans>
        </h3>
        <Link className="link" to="/containers/$id/logs" params={{ id: row.id }}>
          <Trans>Open in logs</Trans>
        </Link>
      </div>
      {tail.length > 0 ? (
        <pre className="tail" tabIndex={0} aria-label={t`Last lines before the exit`}>
          {tail.map((line, n) => (
            <TailLine key={n} line={line} />
          ))}
        </pre>
      ) : (
        <p className="tail-head muted">{!exit.log_kept ? t`Log not kept: the container removed itself.` : t`It had written nothing.`}</p>
      )}
    </section>
  )
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

function By({ exit }: { exit: LastExit }) {
  const order = typeof exit.order?.id === 'string' ? exit.order.id : undefined
  const actor = typeof exit.actor?.name === 'string' ? exit.actor.name : ''
  if (!order) return actor || t`itself`
  return (
    <Link className="link" to="/orders/$id" params={{ id: order }}>
      {actor || t`an order`}
    </Link>
  )
}

function TailLine({ line }: { line: string[] }) {
  const [at = '', stream = 'o', text = ''] = line
  return (
    <span className="line" data-stream={stream === 'stderr' ? 'e' : stream}>
      {at && <time dateTime={at}>{clock(at)}</time>}
      {plain(text)}
    </span>
  )
}
