import './shell.css'

import { useMediaQuery } from '@mantine/hooks'
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useLingui } from '@lingui/react'
import { useQueryClient } from '@tanstack/react-query'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { useEffect, useState } from 'react'

import { Button } from '@/components/Button'
import { Dialog } from '@/components/Dialog'
import { ConfirmDialog, OfflineDialog } from '@/components/Dialogs'
import { Icon, StateIcon } from '@/components/Icon'
import { Toasts } from '@/components/Toasts'
import { startLive, useConnection } from '@/lib/connection'
import { clock } from '@/lib/format'
import { useHostFilter } from '@/lib/hostfilter'

import { AccountMenu } from './AccountMenu'
import { ActivityButton } from './ActivityButton'
import { HostFilter } from './HostFilter'
import { BOTTOM, NAV } from './nav'
import { SessionDialog } from './SessionDialog'
import { isCurrent, NavLinks } from './SideBar'

export function Shell() {
  const client = useQueryClient()
  useEffect(() => startLive(client), [client])
  const phone = useMediaQuery('(max-width: 640px)', undefined, { getInitialValueInEffect: false })
  return (
    <>
      <a className="skip" href="#main">
        <Trans>Skip to content</Trans>
      </a>
      <div className="shell">
        <header className="topbar">
          <Link className="brand" to="/" aria-label="Longshore">
            <Brand />
            <span>Longshore</span>
          </Link>
          <HostFilter />
          <span className="grow" />
          <ConnectionStatus />
          <ActivityButton />
          <AccountMenu />
        </header>
        {!phone && (
          <nav className="side" aria-label={t`Main`}>
            <NavLinks />
          </nav>
        )}
        <div className="content">
          <Bars />
          <Outlet />
        </div>
        {phone && <BottomBar />}
      </div>
      <Toasts />
      <ConfirmDialog />
      <OfflineDialog />
      <SessionDialog />
    </>
  )
}

export function Brand() {
  return (
    <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinejoin="round" strokeLinecap="round" aria-hidden="true">
      <path d="M2.5 16.5h15M4.5 13.5v-5h5v5zM9.5 13.5v-5h5v5zM7 8.5v-5h5v5z" />
    </svg>
  )
}

function ConnectionStatus() {
  const { status } = useConnection()
  const words = { connecting: t`Connecting…`, connected: t`Live`, reconnecting: t`Reconnecting…`, offline: t`Offline` }[status]
  const name = status === 'connected' ? t`Connection: live` : t`Connection: ${words}`
  return (
    <span className={`connection ${status}`} role="status" aria-label={name}>
      <i />
      {words}
    </span>
  )
}

/** What concerns every page: the connection is gone for longer than two seconds, or the server was updated. */
function Bars() {
  const { status, since, updated } = useConnection()
  const lost = status === 'reconnecting' || status === 'offline'
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (!lost) {
      setLate(false)
      return undefined
    }
    const timer = setTimeout(() => { setLate(true); }, 2000)
    return () => { clearTimeout(timer); }
  }, [lost])
  const at = clock(new Date(since).toISOString())
  return (
    <>
      {late && (
        <div className="banner grey-banner" role="status">
          <StateIcon icon="s-busy" tone="busy" />
          <span>
            <Trans>Reconnecting…</Trans>{' '}
            <span className="muted">
              <Trans>data from {at}</Trans>
            </span>
          </span>
        </div>
      )}
      {updated && (
        <div className="banner grey-banner" role="status">
          <Icon name="info" />
          <span className="grow">
            <Trans>Longshore was updated.</Trans>
          </span>
          <Button small kind="plain" onClick={() => { location.reload(); }}>
            <Trans>Reload</Trans>
          </Button>
        </div>
      )}
    </>
  )
}

function BottomBar() {
  const { _ } = useLingui()
  const { pathname } = useLocation()
  const hosts = useHostFilter()
  const [menu, setMenu] = useState(false)
  const entries = NAV.flat().filter((entry) => BOTTOM.includes(entry.to))
  return (
    <nav className="bottom-bar" aria-label={t`Main`}>
      {entries.map((entry) => (
        <Link key={entry.to} to={entry.to} search={entry.byHost && hosts.length > 0 ? { host: hosts } : {}} aria-current={isCurrent(pathname, entry.to) ? 'page' : undefined}>
          <Icon name={entry.icon} />
          {_(entry.label)}
        </Link>
      ))}
      <button type="button" aria-haspopup="dialog" onClick={() => { setMenu(true); }}>
        <Icon name="menu" />
        <Trans>Menu</Trans>
      </button>
      {menu && (
        <Dialog title={t`Menu`} onClose={() => { setMenu(false); }}>
          <div className="dialog-body side in-dialog">
            <NavLinks onFollow={() => { setMenu(false); }} />
          </div>
        </Dialog>
      )}
    </nav>
  )
}
