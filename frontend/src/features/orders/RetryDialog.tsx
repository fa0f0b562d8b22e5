/** Retry an order that came with a registry's credential, which ended with it. */
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useState } from 'react'

import { Dialog } from '@/components/Dialog'
import { DialogFoot } from '@/components/DialogFoot'
import { TextField } from '@/components/Form'
import type { Order } from '@/lib/types'

import type { Credential } from './api/retry'

export function RetryDialog({ order, onRetry, onClose }: { order: Order; onRetry: (credential: Credential) => void; onClose: () => void }) {
  const [username, setUsername] = useState('')
  const [password, setPassword] = useState('')
  const [missing, setMissing] = useState(false)
  const name = order.target.name
  return (
    <Dialog title={t`Retry with a credential`} onClose={onClose}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          setMissing(!username)
          if (username) onRetry({ username, password })
        }}
      >
        <div className="dialog-body stack">
          <p className="muted">
            <Trans>{name} came with a credential of its registry, which was not kept. Give it again.</Trans>
          </p>
          <TextField id="r-user" label={t`Registry user`} value={username} data-autofocus error={missing ? t`Name the user` : undefined} onChange={setUsername} />
          <TextField id="r-password" label={t`Registry password`} type="password" value={password} hint={t`For this order only; it is not stored.`} onChange={setPassword} />
        </div>
        <DialogFoot onClose={onClose} send={t`Retry`} />
      </form>
    </Dialog>
  )
}
