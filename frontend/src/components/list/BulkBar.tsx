import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'

import { Button } from '@/components/Button'
import type { Row } from '@/lib/types'

import type { Selection } from './hooks'
import type { BulkAction } from './types'

/** A strip of its own above the table, kept free for it: nothing moves when something is selected. */
export function BulkBar<T extends Row>({ selection, shown, actions, counted }: { selection: Selection<T>; shown: T[]; actions: BulkAction<T>[]; counted: string }) {
  const chosen = selection.rows
  if (chosen.length === 0) return <div className="bulk muted">{counted}</div>
  const visible = new Set(shown.map((row) => row.id))
  const hidden = chosen.filter((row) => !visible.has(row.id)).length
  return (
    <div className="bulk on" role="toolbar" aria-label={t`Bulk actions`}>
      <span className="strong nowrap">
        <Trans>{chosen.length} selected</Trans>
        {hidden > 0 && <span className="muted">{t`, ${hidden} hidden by the filter`}</span>}
      </span>
      <Button kind="plain" small onClick={selection.clear}>
        <Trans>Clear selection</Trans>
      </Button>
      <span className="rule" />
      {actions.map((action) => {
        const fitting = chosen.filter(action.fits)
        const refused = chosen.map((row) => action.refused?.(row)).find(Boolean)
        return (
          <Button
            key={action.label}
            kind={action.danger ? 'plain' : 'plain'}
            className={action.danger ? 'danger-text' : ''}
            small
            icon={action.icon}
            reason={fitting.length === 0 ? (refused ?? t`Fits none of the selected`) : undefined}
            title={fitting.length > 0 && fitting.length < chosen.length ? t`Fits ${fitting.length} of ${chosen.length}` : undefined}
            onClick={() => void action.run(fitting)}
          >
            {action.label}
          </Button>
        )
      })}
    </div>
  )
}
