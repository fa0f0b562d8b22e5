import { Trans } from '@lingui/react/macro'

import { Button } from './Button'

/** The end of a dialog with a form: leave it, or send it. */
export function DialogFoot({ onClose, busy = false, send }: { onClose: () => void; busy?: boolean; send: string }) {
  return (
    <div className="dialog-foot">
      <Button onClick={onClose}>
        <Trans>Cancel</Trans>
      </Button>
      <Button type="submit" kind="primary" aria-busy={busy}>
        {send}
      </Button>
    </div>
  )
}
