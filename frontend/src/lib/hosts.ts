/** The hosts as choices of a form. */
import { t } from '@lingui/core/macro'

import { useEffect, useRef } from 'react'

import { useHostFilter } from './hostfilter'
import { useList } from './lists'
import type { Host, HostRef } from './types'
import { hostLook } from './words'

export function useHostChoices(): { hosts: Host[]; options: { value: string; label: string }[] } {
  const { rows } = useList<Host>('hosts', { order: 'name' })
  const hosts = rows.filter((host) => host.state !== 'revoked' && host.state !== 'pending')
  return { hosts, options: hosts.map((host) => ({ value: host.id, label: labelOf(host) })) }
}

function labelOf(host: Host): string {
  const words = hostLook(host.state).words
  const running = host.counts.running
  return t`${host.name}, ${words}, ${running} running`
}

export const refOf = (host: Host): HostRef => ({ id: host.id, name: host.name, online: host.state === 'online' })

/** Where no host was chosen: the filtered one, else the only one. */
export function useFirstHost(current: string, choose: (id: string) => void): void {
  const { hosts } = useHostChoices()
  const filtered = useHostFilter()
  const first = filtered.length === 1 ? hosts.find((item) => item.name === filtered[0])?.id : hosts.length === 1 ? hosts[0]?.id : undefined
  const latest = useRef(choose)
  latest.current = choose
  useEffect(() => {
    if (first && !current) latest.current(first)
  }, [first, current])
}
