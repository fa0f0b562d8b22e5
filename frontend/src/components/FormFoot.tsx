import { Trans } from '@lingui/react/macro'

import { Button, ButtonLink } from './Button'

/** The end of a form: away from it, or send it. */
export function FormFoot({ to, busy, send }: { to: string; busy: boolean; send: string }) {
  return (
    <div className="form-foot">
      <span className="grow" />
      <ButtonLink to={to}>
        <Trans>Cancel</Trans>
      </ButtonLink>
      <Button type="submit" kind="primary" aria-busy={busy}>
        {send}
      </Button>
    </div>
  )
}
