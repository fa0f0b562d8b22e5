import { Modal } from '@mantine/core'
import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'

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
  return (
    <Modal opened={open} onClose={() => undefined} title={t`Sign in`} withCloseButton={false} closeOnEscape={false} closeOnClickOutside={false} size={400}>
      <div className="dialog-body">
        <SignInForm onDone={done} />
      </div>
    </Modal>
  )
}
