import { Popover } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { useState } from 'react'

import { Button } from '@/components/Button'
import { Icon } from '@/components/Icon'

import type { Filter } from './types'
import type { ListUrl } from './url'

export function FilterButtons({ filters, url }: { filters: Filter[]; url: ListUrl }) {
  return filters.map((filter) => <FilterButton key={filter.name} filter={filter} url={url} />)
}

function FilterButton({ filter, url }: { filter: Filter; url: ListUrl }) {
  const [open, setOpen] = useState(false)
  const chosen = url.filters[filter.name] ?? []
  return (
    <Popover opened={open} onChange={setOpen} position="bottom-start" trapFocus returnFocus>
      <Popover.Target>
        <Button small aria-label={t`Filter by ${filter.label}`} aria-haspopup="dialog" aria-expanded={open} onClick={() => { setOpen(!open); }}>
          {filter.label.charAt(0).toUpperCase() + filter.label.slice(1)}
          <Icon name="down" />
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label={t`Filter by ${filter.label}`}>
        <ul className="choices">
          {filter.choices.map((choice) => (
            <li key={choice.value}>
              <label className="check-line">
                <input
                  type="checkbox"
                  checked={chosen.includes(choice.value)}
                  onChange={(event) => {
                    const next = event.target.checked ? [...chosen, choice.value] : chosen.filter((value) => value !== choice.value)
                    url.set({ [filter.name]: next.length > 0 ? next : undefined })
                  }}
                />
                {choice.label}
              </label>
            </li>
          ))}
        </ul>
      </Popover.Dropdown>
    </Popover>
  )
}

/** A set filter is always in sight, also when nothing matches it. */
export function FilterChips({ filters, url }: { filters: Filter[]; url: ListUrl }) {
  const chips = filters.map((filter) => {
    const values = url.filters[filter.name] ?? []
    return { name: filter.name, label: filter.label, words: values.map((value) => filter.choices.find((choice) => choice.value === value)?.label ?? value) }
  })
  if (url.hosts.length > 0) chips.push({ name: 'host', label: t`host`, words: url.hosts })
  return chips
    .filter((chip) => chip.words.length > 0)
    .map((chip) => {
      const words = chip.words.join(', ')
      return (
        <span key={chip.name} className="chip">
          <span className="muted">{t`${chip.label} is`}</span> <b>{words}</b>
          <button type="button" aria-label={t`Remove filter: ${chip.label} is ${words}`} onClick={() => { url.set({ [chip.name]: undefined }); }}>
            <Icon name="x" />
          </button>
        </span>
      )
    })
}
