/** The host filter follows a person from list to list: the list's URL is the truth, this remembers it in between. */
import { useSearch } from '@tanstack/react-router'

import { many } from './search'
import { createStore, useStore } from './store'

export const hostFilter = createStore<string[]>([])

/** Host names of the URL where the page is a list, else the ones set last. */
export function useHostFilter(): string[] {
  const search: Record<string, string | string[] | undefined> = useSearch({ strict: false })
  const remembered = useStore(hostFilter)
  return search.host === undefined ? remembered : many(search.host)
}
