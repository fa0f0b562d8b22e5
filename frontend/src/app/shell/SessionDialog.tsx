import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

import { Dialog } from '@/components/Dialog'
import { SignInForm } from '@/components/SignInForm'
import { onSignedOut } from '@/lib/api'

/** The session ended while somebody was at work: sign in over the page, nothing typed is lost. */
export function SessionDialog() {
  const [open, setOpen] = useState(false)
  const client = useQueryClient()
  useEffect(() => onSignedOut(() => { setOpen(true); }), [])
  function done(): void {
    setOpen(false)
    void client.invalidateQueries()
    dispatchEvent(new Event('online'))
  }
  if (!open) return null
  return (
    <Dialog title={t`Sign in`} closable={false} size={400} onClose={() => undefined}>
      <div className="dialog-body">
        <SignInForm onDone={done} />
      </div>
    </Dialog>
  )
}
