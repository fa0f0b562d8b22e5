/** A list's view lives in its URL: search, filters, order. Back, reload and a pasted link give the same rows. */
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect } from 'react'

import type { Params } from '@/lib/api'
import { hostFilter } from '@/lib/hostfilter'
import { many, one, type Search } from '@/lib/search'

import type { Filter } from './types'

export interface ListUrl {
  search: string
  order: string
  hosts: string[]
  /** Set filters: name → values. */
  filters: Record<string, string[]>
  params: Params
  filtered: boolean
  set: (change: Search) => void
  clear: () => void
}

export function useListUrl(filters: Filter[], defaultOrder: string, byHost: boolean): ListUrl {
  const found: Search = useSearch({ strict: false })
  const navigate = useNavigate()
  const hosts = byHost ? many(found.host) : []
  const set = (change: Search): void => {
    if ('host' in change) hostFilter.set(many(change.host))
    void navigate({ to: '.', search: (before: Search) => ({ ...before, ...change }), replace: true, resetScroll: false })
  }
  const joined = hosts.join()
  useEffect(() => {
    if (byHost) hostFilter.set(joined ? joined.split(',') : [])
  }, [byHost, joined])
  const chosen = Object.fromEntries(filters.map((filter) => [filter.name, many(found[filter.name])]))
  const search = one(found.search)
  const order = one(found.order) || defaultOrder
  return {
    search,
    order,
    hosts,
    filters: chosen,
    params: { ...(search && { search }), ...(hosts.length > 0 && { host: hosts }), ...Object.fromEntries(Object.entries(chosen).filter(([, values]) => values.length > 0)), order },
    filtered: search !== '' || hosts.length > 0 || Object.values(chosen).some((values) => values.length > 0),
    set,
    clear: () => { set({ search: undefined, ...(byHost && { host: undefined }), ...Object.fromEntries(filters.map((filter) => [filter.name, undefined])) }); },
  }
}
