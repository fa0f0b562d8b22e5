import { useLingui } from '@lingui/react'
import { Link, useLocation } from '@tanstack/react-router'

import { Icon } from '@/components/Icon'
import { count } from '@/lib/format'
import { useHostFilter } from '@/lib/hostfilter'
import { useMe } from '@/lib/rights'
import { useSummary } from '@/lib/summary'

import { type Entry, NAV } from './nav'

/** Groups of entries that this person has a right to. */
export function useNav(): Entry[][] {
  const rights = useMe()?.rights
  const allowed = (entry: Entry): boolean => !entry.right || !rights || rights.includes(entry.right)
  return NAV.map((group) => group.filter(allowed)).filter((group) => group.length > 0)
}

export const isCurrent = (path: string, to: string): boolean => (to === '/' ? path === '/' : path === to || path.startsWith(`${to}/`))

export function NavLinks({ onFollow }: { onFollow?: () => void }) {
  const { _ } = useLingui()
  const { pathname } = useLocation()
  const hosts = useHostFilter()
  const counts = useSummary().data?.counts
  return useNav().map((group) => (
    <ul key={group[0]?.to}>
      {group.map((entry) => {
        const number = entry.count ? counts?.[entry.count] : undefined
        return (
          <li key={entry.to}>
            <Link to={entry.to} search={entry.byHost && hosts.length > 0 ? { host: hosts } : {}} aria-current={isCurrent(pathname, entry.to) ? 'page' : undefined} onClick={onFollow}>
              <Icon name={entry.icon} />
              <span>{_(entry.label)}</span>
              {number !== undefined && <span aria-hidden="true">{count(number)}</span>}
            </Link>
          </li>
        )
      })}
    </ul>
  ))
}
