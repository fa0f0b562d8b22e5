import { Popover } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useLocation, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'

import { Button } from '@/components/Button'
import { Icon, StateIcon } from '@/components/Icon'
import { hostFilter, useHostFilter } from '@/lib/hostfilter'
import { useList } from '@/lib/lists'
import type { Host } from '@/lib/types'
import { hostLook } from '@/lib/words'

const LISTS = ['/containers', '/images', '/volumes', '/networks', '/orders', '/events']

/** The host is a filter, not a mode: it sets `?host=` of the list in sight and goes along to the next one. */
export function HostFilter() {
  const chosen = useHostFilter()
  const [open, setOpen] = useState(false)
  const label = chosen.length === 0 ? t`All hosts` : chosen.length === 1 ? (chosen[0] ?? '') : t`${chosen.length} hosts`
  return (
    <Popover opened={open} onChange={setOpen} position="bottom-start" trapFocus returnFocus>
      <Popover.Target>
        <Button small className="host-filter" aria-label={t`Host filter: ${label}`} aria-haspopup="dialog" aria-expanded={open} onClick={() => { setOpen(!open); }}>
          <Icon name="host" />
          <span className="host-label">{label}</span>
          <Icon name="down" />
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t`Host filter`}>{open && <Picker chosen={chosen} />}</Popover.Dropdown>
    </Popover>
  )
}

function Picker({ chosen }: { chosen: string[] }) {
  const { rows } = useList<Host>('hosts', { order: 'name' })
  const [search, setSearch] = useState('')
  const { pathname } = useLocation()
  const navigate = useNavigate()
  function choose(next: string[]): void {
    hostFilter.set(next)
    if (LISTS.includes(pathname)) void navigate({ to: '.', search: (before: Record<string, unknown>) => ({ ...before, host: next.length > 0 ? next : undefined }), replace: true })
  }
  const shown = rows.filter((host) => host.state !== 'revoked' && host.name.includes(search.toLowerCase()))
  return (
    <div className="picker">
      <input className="input" type="search" aria-label={t`Search hosts`} placeholder={t`Name`} value={search} data-autofocus onChange={(event) => { setSearch(event.target.value); }} />
      <ul>
        {shown.map((host) => {
          const look = hostLook(host.state)
          return (
            <li key={host.id}>
              <label className="check-line">
                <input
                  type="checkbox"
                  aria-label={host.name}
                  checked={chosen.includes(host.name)}
                  onChange={(event) => { choose(event.target.checked ? [...chosen, host.name] : chosen.filter((name) => name !== host.name)); }}
                />
                <StateIcon icon={look.icon} tone={look.tone} />
                <span className="grow cut">{host.name}</span>
                <span className="meta">{look.words}</span>
                <span className="meta nowrap">
                  {host.counts.running}/{host.counts.containers}
                </span>
              </label>
            </li>
          )
        })}
      </ul>
      <Button small kind="plain" onClick={() => { choose([]); }}>
        <Trans>All hosts</Trans>
      </Button>
    </div>
  )
}
