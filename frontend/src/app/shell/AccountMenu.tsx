import { Menu } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'

import { Dialog } from '@/components/Dialog'
import { request } from '@/lib/api'
import { useMe } from '@/lib/rights'
import { chooseTheme, currentTheme, type Theme, THEMES } from '@/lib/theme'

export function AccountMenu() {
  const me = useMe()
  const navigate = useNavigate()
  const [preferences, setPreferences] = useState(false)
  async function signOut(): Promise<void> {
    // allauth answers 401 when nobody is signed in any more: that is the success.
    await request('DELETE', '/api/auth/browser/v1/auth/session').catch(() => undefined)
    location.assign('/sign-in')
  }
  return (
    <>
      <Menu>
        <Menu.Target>
          <button type="button" className="avatar" aria-label={t`Account menu`}>
            {(me?.username ?? '?').slice(0, 1).toUpperCase()}
          </button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label role="presentation">{me?.username}</Menu.Label>
          <Menu.Item onClick={() => void navigate({ to: '/profile/tokens' })}>
            <Trans>API tokens</Trans>
          </Menu.Item>
          <Menu.Item onClick={() => { setPreferences(true); }}>
            <Trans>Preferences</Trans>
          </Menu.Item>
          <Menu.Divider role="separator" />
          <Menu.Item onClick={() => void signOut()}>
            <Trans>Sign out</Trans>
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {preferences && <Preferences onClose={() => { setPreferences(false); }} />}
    </>
  )
}

function Preferences({ onClose }: { onClose: () => void }) {
  const [theme, setTheme] = useState(currentTheme())
  const words: Record<Theme, string> = { system: t`As the system`, light: t`Light`, dark: t`Dark` }
  return (
    <Dialog onClose={onClose} title={t`Preferences`}>
      <div className="dialog-body">
        <fieldset className="stack">
          <legend className="strong">
            <Trans>Theme</Trans>
          </legend>
          {THEMES.map((option) => (
            <label key={option} className="check-line">
              <input type="radio" name="theme" checked={theme === option} onChange={() => { chooseTheme(option); setTheme(option) }} />
              {words[option]}
            </label>
          ))}
        </fieldset>
      </div>
    </Dialog>
  )
}
