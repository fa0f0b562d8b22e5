import { Link } from '@tanstack/react-router'

import type { Row } from '@/lib/types'

import { RowMenu } from './RowMenu'
import type { ListConfig } from './types'

/** On a phone a row is a card of two lines with the same actions. */
export function Cards<T extends Row>({ config, rows }: { config: ListConfig<T>; rows: T[] }) {
  return (
    <ul className="cards" aria-label={config.title}>
      {rows.map((row) => {
        const card = config.card(row)
        const to = config.to?.(row)
        const inner = (
          <>
            {card.lead}
            <span className="l1">
              <span className="name cut">{card.title}</span>
              {card.end}
            </span>
            <span className="l2 muted">
              <span className="cut grow">{card.sub}</span>
              {card.subEnd && <span className="nowrap">{card.subEnd}</span>}
            </span>
          </>
        )
        return (
          <li key={row.id} data-state={config.stateOf?.(row)}>
            {to ? (
              <Link to={to} className="card">
                {inner}
              </Link>
            ) : (
              <span className="card">{inner}</span>
            )}
            {config.menu && <RowMenu name={config.nameOf(row)} groups={config.menu(row)} />}
          </li>
        )
      })}
    </ul>
  )
}
