/** The containers that use something, each with what it has to do with it. */
import { Link } from '@tanstack/react-router'

export function Containers({ items, none }: { items: { id: string; name: string; note: string }[]; none: string }) {
  if (items.length === 0) return <p className="muted">{none}</p>
  return (
    <ul>
      {items.map((item) => (
        <li key={item.id}>
          <Link className="link" to="/containers/$id" params={{ id: item.id }}>
            {item.name}
          </Link>{' '}
          <span className="mono muted">{item.note}</span>
        </li>
      ))}
    </ul>
  )
}
