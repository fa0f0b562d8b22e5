import './controls.css'

import { Tooltip } from '@mantine/core'
import { createLink, type LinkComponent } from '@tanstack/react-router'
import { type AnchorHTMLAttributes, type ButtonHTMLAttributes, forwardRef, type ReactNode, useId } from 'react'

import { Icon } from './Icon'

interface Look {
  kind?: 'primary' | 'danger' | 'danger-text' | 'plain' | undefined
  small?: boolean
  /** Icon only: `label` is its name and its tooltip. */
  square?: boolean
  icon?: string
}

type Props = Look &
  ButtonHTMLAttributes<HTMLButtonElement> & {
    label?: string
    /** Why it may not be pressed now. The button stays reachable and says so. */
    reason?: string | undefined
  }

const classes = ({ kind, small, square }: Look, more = ''): string =>
  ['button', kind, small && 'small', square && 'square', more].filter(Boolean).join(' ')

export const Button = forwardRef<HTMLButtonElement, Props>(function Button(
  { kind, small, square, icon, label, reason, className, children, onClick, ...rest },
  ref,
) {
  const id = useId()
  const look = { ...(kind && { kind }), ...(small && { small }), ...(square && { square }) }
  const button = (
    <button
      ref={ref}
      type="button"
      className={classes(look, className)}
      aria-label={label}
      aria-disabled={reason ? true : undefined}
      aria-describedby={reason ? id : undefined}
      onClick={reason ? (event) => { event.preventDefault() } : onClick}
      {...rest}
    >
      {icon && <Icon name={icon} />}
      {children}
      {reason && (
        <span id={id} hidden>
          {reason}
        </span>
      )}
    </button>
  )
  const tip = reason ?? (square ? label : undefined)
  return tip ? <Tooltip label={tip}>{button}</Tooltip> : button
})

type AnchorProps = Look & AnchorHTMLAttributes<HTMLAnchorElement> & { label?: string; children?: ReactNode }

/** A link out of the pages, as a download: the browser follows it, not the router. */
export const PlainLink = forwardRef<HTMLAnchorElement, AnchorProps>(function PlainLink({ kind, small, square, icon, label, className, children, ...rest }, ref) {
  const look = { ...(kind && { kind }), ...(small && { small }), ...(square && { square }) }
  return (
    <a ref={ref} className={classes(look, className)} aria-label={label} title={square ? label : undefined} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  )
})

const Linked = createLink(PlainLink)
/** A link that looks like a button. */
export const ButtonLink: LinkComponent<typeof PlainLink> = (props) => <Linked {...props} />
