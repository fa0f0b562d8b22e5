import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { Link } from '@tanstack/react-router'
import { memo, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'

import { AfterAWhile } from '@/components/Fallbacks'
import type { Row } from '@/lib/types'

import type { Selection } from './hooks'
import { RowMenu } from './RowMenu'
import type { Column, ListConfig } from './types'
import type { ListUrl } from './url'

const ROW = 36
/** Below this many rows all of them are in the document: the browser's own search then finds each. */
const VIRTUAL_FROM = 120

interface Props<T extends Row> {
  config: ListConfig<T>
  rows: T[]
  url: ListUrl
  selection: Selection<T>
}

/** A native table; long ones draw the rows in sight between two spacer rows. */
export function Table<T extends Row>({ config, rows, url, selection }: Props<T>) {
  const body = useRef<HTMLTableSectionElement>(null)
  const [top, setTop] = useState(0)
  useLayoutEffect(() => { setTop(body.current ? body.current.getBoundingClientRect().top + window.scrollY : 0); }, [])
  const virtual = rows.length >= VIRTUAL_FROM
  const virtualizer = useWindowVirtualizer({ count: virtual ? rows.length : 0, estimateSize: () => ROW, overscan: 12, scrollMargin: top })
  const items = virtualizer.getVirtualItems()
  const from = virtual ? (items[0]?.index ?? 0) : 0
  const to = virtual ? (items.at(-1)?.index ?? -1) + 1 : rows.length
  const visible = rows.slice(from, to)
  const { onVisible } = config
  const seen = visible.map((row) => row.id).join()
  useEffect(() => {
    onVisible?.(visible)
    // Only when other rows come in sight: a changed value is no reason to ask for other statistics.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [seen])
  const selectable = config.bulk !== undefined
  const columns = config.columns.length + (selectable ? 1 : 0) + 1
  const all = rows.length > 0 && rows.every((row) => selection.ids.has(row.id))
  return (
    <table className="list-table" aria-label={config.title} {...(virtual && { 'aria-rowcount': rows.length + 1 })}>
      <ColumnWidths config={config} selectable={selectable} />
      <thead>
        <tr>
          {selectable && (
            <th className="check" scope="col">
              <input
                type="checkbox"
                aria-label={t`Select all`}
                checked={all}
                ref={(box) => {
                  if (box) box.indeterminate = !all && selection.ids.size > 0
                }}
                onChange={() => { selection.toggleAll(rows); }}
              />
            </th>
          )}
          {config.columns.map((column) => (
            <HeadCell key={column.key} column={column} url={url} />
          ))}
          <th scope="col">
            <span className="unseen">
              <Trans>Actions</Trans>
            </span>
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        {from > 0 && <Spacer rows={from} columns={columns} />}
        {visible.map((row, n) => (
          <TableRow key={row.id} config={config} row={row} index={virtual ? from + n + 2 : undefined} selected={selection.ids.has(row.id)} onSelect={selectable ? (range) => { selection.toggle(row, range, rows); } : undefined} />
        ))}
        {to < rows.length && <Spacer rows={rows.length - to} columns={columns} />}
      </tbody>
    </table>
  )
}

const Spacer = ({ rows, columns }: { rows: number; columns: number }) => (
  <tr aria-hidden="true" className="spacer" style={{ blockSize: rows * ROW }}>
    <td colSpan={columns} />
  </tr>
)

const rank = <T,>(column: Column<T>): string => [column.rank && `p${String(column.rank)}`, column.end && 'num'].filter(Boolean).join(' ')

function ColumnWidths<T extends Row>({ config, selectable }: { config: ListConfig<T>; selectable: boolean }) {
  return (
    <colgroup>
      {selectable && <col style={{ inlineSize: 48 }} />}
      {config.columns.map((column) => (
        <col key={column.key} className={column.rank ? `p${String(column.rank)}` : ''} style={{ inlineSize: column.width }} />
      ))}
      <col style={{ inlineSize: 56 }} />
    </colgroup>
  )
}

function HeadCell<T>({ column, url }: { column: Column<T>; url: ListUrl }) {
  if (!column.sort) {
    return (
      <th scope="col" className={rank(column)}>
        {column.label}
      </th>
    )
  }
  const { sort } = column
  const first = url.order.split(',')[0]
  const direction = first === sort ? 'ascending' : first === `-${sort}` ? 'descending' : undefined
  return (
    <th scope="col" className={rank(column)} aria-sort={direction}>
      <button type="button" onClick={() => { url.set({ order: direction === 'ascending' ? `-${sort}` : sort }); }}>
        {column.label}
        <span aria-hidden="true">{direction === 'ascending' ? ' ↑' : direction === 'descending' ? ' ↓' : ''}</span>
      </button>
    </th>
  )
}

interface RowProps<T extends Row> {
  config: ListConfig<T>
  row: T
  index: number | undefined
  selected: boolean
  onSelect: ((range: boolean) => void) | undefined
}

function PlainRow<T extends Row>({ config, row, index, selected, onSelect }: RowProps<T>) {
  const name = config.nameOf(row)
  const host = config.hostOf?.(row)
  return (
    <tr data-state={config.stateOf?.(row)} aria-rowindex={index} data-selected={selected || undefined} className={host && !host.online ? 'stale' : ''}>
      {onSelect && (
        <td className="check">
          <input type="checkbox" aria-label={t`Select ${name}`} checked={selected} onChange={(event) => { onSelect((event.nativeEvent as MouseEvent).shiftKey); }} />
        </td>
      )}
      {config.columns.map((column, n) => (
        <td key={column.key} className={rank(column)}>
          {n === 0 ? <NameCell to={config.to?.(row)}>{column.cell(row)}</NameCell> : column.cell(row)}
          {n === 0 && config.beside && <span className="beside-name">{config.beside(row)}</span>}
        </td>
      ))}
      <td className="actions-cell">
        <span className="row-actions">
          {config.quick && <span className="quick">{config.quick(row)}</span>}
          {config.menu && <RowMenu name={name} groups={config.menu(row)} />}
        </span>
      </td>
    </tr>
  )
}

const TableRow = memo(PlainRow, (before, after) => before.row === after.row && before.selected === after.selected && before.index === after.index && before.config === after.config) as typeof PlainRow

function NameCell({ to, children }: { to: string | undefined; children: ReactNode }) {
  return to ? (
    <Link to={to} className="name">
      {children}
    </Link>
  ) : (
    <span className="name">{children}</span>
  )
}

export function SkeletonRows<T extends Row>({ config, selectable }: { config: ListConfig<T>; selectable: boolean }) {
  return (
    <AfterAWhile>
      <table className="list-table" aria-hidden="true">
        <ColumnWidths config={config} selectable={selectable} />
        <thead>
          <tr>
            {selectable && <th />}
            {config.columns.map((column) => (
              <th key={column.key} className={rank(column)}>
                {column.label}
              </th>
            ))}
            <th />
          </tr>
        </thead>
        <tbody>
          {[62, 48, 71, 55, 66, 50, 58, 44].map((width) => (
            <tr key={width}>
              {selectable && <td />}
              {config.columns.map((column, n) => (
                <td key={column.key} className={rank(column)}>
                  <span className="bone" style={{ inlineSize: `${String(Math.max(24, width - n * 6))}%` }} />
                </td>
              ))}
              <td />
            </tr>
          ))}
        </tbody>
      </table>
    </AfterAWhile>
  )
}
