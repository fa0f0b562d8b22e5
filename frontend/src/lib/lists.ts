/** Rows of one kind: pages of 500, the rest fetched in idle time up to 5,000. */
import { type InfiniteData, keepPreviousData, useInfiniteQuery, type UseInfiniteQueryResult } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'

import { get, nextPage, type Params } from './api'
import { useConnection } from './connection'
import { keys, type Kind } from './keys'
import type { Page, Row } from './types'

export const PAGE_SIZE = 500
export const MOST_ROWS = 5_000
/** Without the socket, lists are asked again this often. */
const POLL = 15_000

export interface List<T> {
  rows: T[]
  count: number | undefined
  query: UseInfiniteQueryResult<InfiniteData<Page<T>>>
}

export function useList<T extends Row>(kind: Kind, params: Params, { pageSize = PAGE_SIZE, enabled = true } = {}): List<T> {
  const all = { ...params, page_size: pageSize }
  const live = useConnection().status === 'connected'
  const query = useInfiniteQuery({
    queryKey: keys.list(kind, all),
    queryFn: ({ pageParam, signal }) => (pageParam ? nextPage<T>(pageParam, signal) : get<Page<T>>(`/api/${kind}/`, all, signal)),
    initialPageParam: '',
    getNextPageParam: (last) => last.next ?? undefined,
    placeholderData: keepPreviousData,
    refetchInterval: live ? false : POLL,
    enabled,
  })
  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.results) ?? [], [query.data])
  const { hasNextPage, isFetching, fetchNextPage } = query
  const more = pageSize === PAGE_SIZE && hasNextPage && !isFetching && rows.length < MOST_ROWS
  useEffect(() => {
    if (!more) return undefined
    const idle = setTimeout(() => void fetchNextPage(), 200)
    return () => { clearTimeout(idle); }
  }, [more, fetchNextPage])
  return { rows, count: query.data?.pages[0]?.count, query }
}
