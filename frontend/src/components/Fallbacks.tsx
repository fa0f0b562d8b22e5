/** What stands where rows or a page should be: nothing yet, nothing found, an error, no access. */
import { Trans } from '@lingui/react/macro'
import { t } from '@lingui/core/macro'
import { type ReactNode, useEffect, useState } from 'react'

import { Problem } from '@/lib/api'
import { isGone, wordsOf } from '@/lib/problems'

import { CopyButton } from './bits'
import { Button, ButtonLink } from './Button'
import { Icon, StateIcon } from './Icon'

export function Empty({ title, text, cli, children }: { title: string; text?: ReactNode; cli?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      {text && <p className="muted">{text}</p>}
      {children && <div className="row">{children}</div>}
      {cli && <code className="cli">{cli}</code>}
    </div>
  )
}

export function Failure({ title, error, retry }: { title: string; error: unknown; retry?: () => void }) {
  const request = error instanceof Problem ? error.body.instance : undefined
  return (
    <div className="empty" role="alert">
      <StateIcon icon="s-unhealthy" tone="bad" />
      <h2>{title}</h2>
      <p className="muted">{wordsOf(error)}</p>
      {retry && (
        <div className="row">
          <Button icon="refresh" onClick={retry}>
            <Trans>Retry</Trans>
          </Button>
        </div>
      )}
      {request && (
        <p className="meta row">
          <Trans>Request</Trans> <code>{request}</code>
          <CopyButton text={request} label={t`Copy request id`} />
        </p>
      )}
    </div>
  )
}

export function NotFound({ to = '/', label }: { to?: string; label?: string }) {
  return (
    <div className="empty">
      <Icon name="lock" />
      <h2>
        <Trans>Not found, or you have no access</Trans>
      </h2>
      <p className="muted">
        <Trans>Ask an administrator for a role on this host if it should be here.</Trans>
      </p>
      <div className="row">
        <ButtonLink to={to}>{label ?? t`Home`}</ButtonLink>
      </div>
    </div>
  )
}

export function Trouble({ error, title, retry, to, label }: { error: unknown; title: string; retry: () => void; to: string; label: string }) {
  return isGone(error) ? <NotFound to={to} label={label} /> : <Failure title={title} error={error} retry={retry} />
}

/** Shows its children only when the wait is worth a picture. */
export function AfterAWhile({ children, ms = 150 }: { children: ReactNode; ms?: number }) {
  const [waited, setWaited] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => { setWaited(true); }, ms)
    return () => { clearTimeout(timer); }
  }, [ms])
  return waited ? children : null
}

export function Bones({ lines = 6 }: { lines?: number }) {
  return (
    <AfterAWhile>
      <div className="stack" role="status" aria-label={t`Loading`}>
        {Array.from({ length: lines }, (_, n) => (
          <span key={n} className="bone" style={{ inlineSize: `${String(30 + ((n * 37) % 50))}%` }} />
        ))}
      </div>
    </AfterAWhile>
  )
}
