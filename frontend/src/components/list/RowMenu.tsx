import { Menu } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { Fragment } from 'react'

import { Button } from '@/components/Button'
import { Icon } from '@/components/Icon'

import type { MenuEntry } from './types'

/** The menu takes `disabled` for "not to be reached"; a refused verb is reached and says why. */
function markRefused(item: HTMLButtonElement | null, reason: string | undefined): void {
  if (reason) item?.setAttribute('aria-disabled', 'true')
  else item?.removeAttribute('aria-disabled')
}

/** "Actions for db": the same verbs as on the object's page. */
export function RowMenu({ name, groups, label }: { name: string; groups: MenuEntry[][]; label?: string }) {
  const filled = groups.filter((group) => group.length > 0)
  if (filled.length === 0) return null
  return (
    <Menu>
      <Menu.Target>
        <Button kind={label ? undefined : 'plain'} small square icon="more" label={label ?? t`Actions for ${name}`} />
      </Menu.Target>
      <Menu.Dropdown>
        {filled.map((group, n) => (
          <Fragment key={group[0]?.label}>
            {n > 0 && <Menu.Divider role="separator" />}
            {group.map((entry) => (
              <Menu.Item
                key={entry.label}
                className={entry.danger ? 'danger-item' : ''}
                leftSection={entry.icon ? <Icon name={entry.icon} /> : undefined}
                ref={(item: HTMLButtonElement | null) => { markRefused(item, entry.reason); }}
                aria-description={entry.reason}
                title={entry.reason}
                closeMenuOnClick={!entry.reason}
                onClick={() => {
                  if (!entry.reason) entry.onPick()
                }}
              >
                {entry.label}
              </Menu.Item>
            ))}
          </Fragment>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
