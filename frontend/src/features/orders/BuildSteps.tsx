import { t } from '@lingui/core/macro'

import { Icon, StateIcon } from '@/components/Icon'
import { plain } from '@/lib/ansi'
import { duration } from '@/lib/format'
import type { Order, OrderLine } from '@/lib/types'

import type { Step } from './progress'

/** The steps of a build, each with its own lines; the running and the failed one stand open. */
export function BuildSteps({ order, steps, lines }: { order: Order; steps: Step[]; lines: OrderLine[] }) {
  if (steps.length === 0) return null
  const output = linesByStep(lines)
  return (
    <ul className="panel build-steps" aria-label={t`Build steps`}>
      {steps.map((step) => (
        <BuildStep key={step.n} step={step} lines={output.get(step.n) ?? []} ended={order.finished_at !== null} />
      ))}
    </ul>
  )
}

/** A build's lines follow each other; "Step 3/7 : …" begins those of step 3. */
export function linesByStep(lines: OrderLine[]): Map<number, OrderLine[]> {
  const found = new Map<number, OrderLine[]>()
  let current: OrderLine[] = []
  for (const line of lines) {
    const step = /^Step (\d+)\/\d+ : /.exec(line.text)?.[1]
    if (step) found.set(Number(step), (current = []))
    else current.push(line)
  }
  return found
}

function BuildStep({ step, lines, ended }: { step: Step; lines: OrderLine[]; ended: boolean }) {
  const failed = step.state === 'failed'
  const running = step.state === 'running' && !ended
  const look = failed ? { icon: 's-exited', tone: 'bad', words: t`failed` } : running ? { icon: 's-busy', tone: 'busy', words: t`running` } : step.state === 'done' || step.state === 'cached' ? { icon: 's-healthy', tone: step.cached ? 'muted' : 'ok', words: t`done` } : { icon: 's-created', tone: 'muted', words: t`waiting` }
  const [instruction = '', ...rest] = step.name.split(' ')
  return (
    <li>
      <details open={failed || running}>
        <summary>
          <Icon name="right" />
          <StateIcon icon={look.icon} tone={look.tone} label={look.words} />
          <span className="n num muted">{step.n}</span>
          <span className="mono cut grow">
            <b>{instruction}</b> {rest.join(' ')}
          </span>
          <span className="muted">{step.cached ? t`cached` : ''}</span>
          <span className="t num muted">{step.ms == null ? '' : duration(step.ms / 1000)}</span>
        </summary>
        {lines.length > 0 && (
          <pre className="tail step-log" tabIndex={0} aria-label={t`Output of step ${step.n}`}>
            {lines.map((line) => (
              <span key={line.n} className="line">
                {plain(line.text)}
              </span>
            ))}
          </pre>
        )}
      </details>
    </li>
  )
}
