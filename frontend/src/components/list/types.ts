import type { ReactNode } from 'react'

import type { Kind } from '@/lib/keys'
import type { HostRef, Row } from '@/lib/types'

export interface Column<T> {
  key: string
  label: string
  /** The API's name in `order=`; without it the column cannot be sorted. */
  sort?: string
  width?: string
  /** 1 leaves last, 3 leaves first as the window narrows. */
  rank?: 1 | 2 | 3
  end?: boolean
  cell: (row: T) => ReactNode
}

export interface Filter {
  /** The parameter's name in the URL and the API. */
  name: string
  /** "state" in "Filter by state". */
  label: string
  choices: { value: string; label: string }[]
}

export interface MenuEntry {
  label: string
  icon?: string
  danger?: boolean
  reason?: string | undefined
  onPick: () => void
}

export interface BulkAction<T> {
  label: string
  icon: string
  danger?: boolean
  fits: (row: T) => boolean
  /** Why it is refused on a row whatever its state. */
  refused?: (row: T) => string | undefined
  run: (rows: T[]) => Promise<void>
}

export interface ListConfig<T extends Row> {
  kind: Kind
  title: string
  /** "214 containers", said as a status. */
  counted: (count: number) => string
  searchLabel: string
  searchHint?: string
  defaultOrder: string
  filters?: Filter[]
  /** Whether `?host=` narrows it. */
  byHost?: boolean
  columns: Column<T>[]
  card: (row: T) => { lead?: ReactNode; title: string; end?: ReactNode; sub: ReactNode; subEnd?: ReactNode }
  /** Where a row leads. */
  to?: (row: T) => string
  /** After the name, and no part of its link. */
  beside?: (row: T) => ReactNode
  nameOf: (row: T) => string
  stateOf?: (row: T) => string
  hostOf?: (row: T) => HostRef | null | undefined
  menu?: (row: T) => MenuEntry[][]
  quick?: (row: T) => ReactNode
  bulk?: BulkAction<T>[]
  actions?: ReactNode
  empty: { title: string; text?: string; action?: ReactNode; cli?: string }
  onVisible?: (rows: T[]) => void
}
