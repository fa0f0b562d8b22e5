import { Modal } from '@mantine/core'
import { t } from '@lingui/core/macro'
import type { ReactNode } from 'react'

import { Button } from './Button'

interface Props {
  title: string
  onClose: () => void
  children: ReactNode
  /** A dialog that is a page of its own has the page's h1. */
  level?: 1 | 2
  /** Closing by the cross, by Escape and by a press beside it. */
  closable?: boolean
  /** Without a cross: a question that is answered by its buttons. */
  question?: boolean
  /** A press beside it is no answer: something would be lost. */
  keep?: boolean
  size?: number
}

/** A modal dialog: named by its title, takes the focus and gives it back. */
export function Dialog({ title, onClose, children, level = 2, closable = true, question = false, keep = false, size = 560 }: Props) {
  const Heading = level === 1 ? 'h1' : 'h2'
  return (
    <Modal.Root opened onClose={onClose} size={size} yOffset="8vh" closeOnEscape={closable} closeOnClickOutside={closable && !keep} transitionProps={{ duration: 0 }}>
      <Modal.Overlay />
      <Modal.Content aria-label={title}>
        <div className="dialog-head">
          <Heading className="dialog-title">{title}</Heading>
          {closable && !question && <Button kind="plain" small square icon="x" label={t`Close`} onClick={onClose} />}
        </div>
        <Modal.Body>{children}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  )
}
