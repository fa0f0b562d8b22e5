import './terminal.css'

import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { lazy, Suspense, useEffect, useId, useRef, useState } from 'react'

import { Button } from '@/components/Button'
import { Bones, Empty, Failure } from '@/components/Fallbacks'
import { missing } from '@/lib/rights'
import type { ContainerDetail } from '@/lib/types'

import { useContainer } from '../ContainerPage'
import type { ScreenHandle } from './Screen'
import { openSession, type Session, type SessionState, type Shell, SHELLS } from './session'

const Screen = lazy(async () => ({ default: (await import('./Screen')).Screen }))

export function TerminalTab() {
  const row = useContainer()
  if (!row) return null
  const reason = missing('containers.exec', row.rights, row.host.name)
  if (reason) return <Failure title={t`You may not open a terminal`} error={new Error(reason)} />
  return <TerminalView key={row.id} row={row} />
}

function TerminalView({ row }: { row: ContainerDetail }) {
  const screen = useRef<ScreenHandle>(null)
  const session = useRef<Session | null>(null)
  const [state, setState] = useState<SessionState | null>(null)
  const [shell, setShell] = useState<Shell>('automatic')
  const [user, setUser] = useState('')
  const [control, setControl] = useState(false)
  const id = useId()
  const running = row.state === 'running'
  useEffect(() => () => session.current?.close(), [])

  function connect(): void {
    session.current?.close()
    screen.current?.clear()
    session.current = openSession({
      containerId: row.id,
      shell,
      user,
      size: screen.current?.size() ?? { cols: 80, rows: 24 },
      onBytes: (bytes) => screen.current?.write(bytes),
      onState: setState,
    })
    screen.current?.focus()
  }
  function send(text: string): void {
    const held = control && /^[a-z]$/i.test(text) ? String.fromCharCode(text.toUpperCase().charCodeAt(0) - 64) : text
    setControl(false)
    session.current?.write(held)
  }
  const connected = state?.kind === 'connected'
  if (!running && state === null) return <Empty title={t`It does not run`} text={t`A terminal opens in a running container.`} />
  return (
    <div className="term-page">
      <div className="term-tools row">
        <span className="row">
          <label className="muted" htmlFor={`${id}-shell`}>
            <Trans>Shell</Trans>
          </label>
          <select id={`${id}-shell`} className="input" value={shell} onChange={(event) => { setShell(event.target.value as Shell); }}>
            {SHELLS.map((option) => (
              <option key={option} value={option}>
                {option}
              </option>
            ))}
          </select>
        </span>
        <span className="row">
          <label className="muted" htmlFor={`${id}-user`}>
            <Trans>User</Trans>
          </label>
          <input id={`${id}-user`} className="input mono" value={user} placeholder={t`default`} autoComplete="off" onChange={(event) => { setUser(event.target.value); }} />
        </span>
        {state?.kind === 'ended' ? (
          <Button small kind="primary" onClick={connect}>
            <Trans>Reconnect</Trans>
          </Button>
        ) : (
          <Button small onClick={connect}>
            <Trans>Connect</Trans>
          </Button>
        )}
        {(connected || state?.kind === 'connecting') && (
          <Button small onClick={() => session.current?.close()}>
            <Trans>Disconnect</Trans>
          </Button>
        )}
        <span className="grow" />
        <StatusWords state={state} />
      </div>
      <section className="term-frame" aria-label={t`Terminal of ${row.name}`}>
        <Suspense fallback={<Bones />}>
          <Screen ref={screen} onData={send} onResize={(cols, rows) => session.current?.resize(cols, rows)} onReady={() => { setTimeout(connect); }} />
        </Suspense>
      </section>
      <div className="term-foot meta">
        <Trans>Ctrl+Shift+C copies, Ctrl+Shift+V pastes, Ctrl+Alt+M leaves the terminal.</Trans>
      </div>
      <Keys control={control} onControl={() => { setControl(!control); }} onKey={(text) => { session.current?.write(text); screen.current?.focus() }} />
    </div>
  )
}

function StatusWords({ state }: { state: SessionState | null }) {
  const words = state === null ? t`Not connected` : state.kind === 'connecting' ? t`Connecting…` : state.kind === 'connected' ? t`Connected` : t`Disconnected: ${state.reason}`
  return (
    <span className="meta wrap" role="status" aria-label={words}>
      {words}
    </span>
  )
}

/** Keys that a phone has not. */
function Keys({ control, onControl, onKey }: { control: boolean; onControl: () => void; onKey: (text: string) => void }) {
  const keys: [string, string][] = [
    ['Esc', '\u001b'],
    ['Tab', '\t'],
    ['↑', '\u001b[A'],
    ['↓', '\u001b[B'],
    ['←', '\u001b[D'],
    ['→', '\u001b[C'],
    ['|', '|'],
  ]
  return (
    <div className="term-keys" role="toolbar" aria-label={t`Keys`}>
      <button type="button" aria-pressed={control} onClick={onControl}>
        Ctrl
      </button>
      {keys.map(([name, text]) => (
        <button key={name} type="button" onClick={() => { onKey(text); }}>
          {name}
        </button>
      ))}
    </div>
  )
}
