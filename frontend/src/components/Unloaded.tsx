/** The page of an object that is not there: still on its way, gone, or not to be had. */
import type { UseQueryResult } from '@tanstack/react-query'

import { Bones, Trouble } from './Fallbacks'
import { Page } from './Page'

export interface Crumb {
  label: string
  to: string
}

interface Props {
  title: string
  /** The list that it belongs to. */
  crumbs: [Crumb]
  query: UseQueryResult
  failed: string
  /** What leads back to the list. */
  back: string
}

export function Unloaded({ title, crumbs, query, failed, back }: Props) {
  return (
    <Page title={title} crumbs={crumbs}>
      {query.isPending ? <Bones /> : <Trouble error={query.error} title={failed} retry={() => void query.refetch()} to={crumbs[0].to} label={back} />}
    </Page>
  )
}
