/** The side bar's entries; a section nobody has a right to is not there. */
import { msg } from '@lingui/core/macro'
import type { MessageDescriptor } from '@lingui/core'

export interface Entry {
  to: string
  icon: string
  label: MessageDescriptor
  right?: string
  /** The lists that the host filter narrows. */
  byHost?: boolean
  /** Where the entry's number comes from in the summary. */
  count?: string
}

export const NAV: Entry[][] = [
  [{ to: '/', icon: 'home', label: msg`Home` }],
  [
    { to: '/containers', icon: 'container', label: msg`Containers`, right: 'containers.view', byHost: true, count: 'containers' },
    { to: '/images', icon: 'image', label: msg`Images`, right: 'images.view', byHost: true, count: 'images' },
    { to: '/volumes', icon: 'volume', label: msg`Volumes`, right: 'volumes.view', byHost: true, count: 'volumes' },
    { to: '/networks', icon: 'network', label: msg`Networks`, right: 'networks.view', byHost: true, count: 'networks' },
  ],
  [
    { to: '/hosts', icon: 'host', label: msg`Hosts`, right: 'hosts.view', count: 'hosts' },
    { to: '/registry', icon: 'registry', label: msg`Registry`, right: 'registry.pull' },
  ],
  [
    { to: '/orders', icon: 'activity', label: msg`Activity`, byHost: true },
    { to: '/events', icon: 'event', label: msg`Events`, right: 'hosts.view', byHost: true },
    { to: '/audit', icon: 'audit', label: msg`Audit`, right: 'audit.view' },
  ],
]

export const BOTTOM = ['/', '/containers', '/hosts', '/orders']
