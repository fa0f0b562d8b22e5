import './page.css'

import { t } from '@lingui/core/macro'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'

interface Crumb {
  label: string
  to: string
}

interface Props {
  title: string
  crumbs?: Crumb[]
  /** Beside the h1: a state pill, a count. */
  beside?: ReactNode
  actions?: ReactNode
  tabs?: ReactNode
  children: ReactNode
  className?: string
  /** One title of several pages (tabs): focus goes to the h1 only when this changes. */
  focusKey?: string
}

/** A page: document title, breadcrumbs, the one h1 (which takes the focus when the page is new), actions, content. */
export function Page({ title, crumbs, beside, actions, tabs, children, className, focusKey }: Props) {
  useTitle(title)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    if (document.activeElement === document.body || document.activeElement === null) heading.current?.focus({ preventScroll: true })
  }, [focusKey])
  return (
    <main id="main" tabIndex={-1} className={className}>
      <div className="page-head">
        <div className="trail">
          {crumbs && (
            <nav aria-label={t`Breadcrumbs`}>
              <ol>
                {crumbs.map((crumb) => (
                  <li key={crumb.to}>
                    <Link to={crumb.to}>{crumb.label}</Link>
                  </li>
                ))}
              </ol>
            </nav>
          )}
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
        </div>
        {beside}
        {actions && <div className="actions">{actions}</div>}
      </div>
      {tabs}
      {children}
    </main>
  )
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Longshore`
  }, [title])
}

export interface TabItem {
  label: string
  to: string
  params?: Record<string, string>
}

/** Tabs are links, each with an address of its own; arrows move between them. */
export function Tabs({ label, items, current }: { label: string; items: TabItem[]; current: string }) {
  function onKeyDown(event: React.KeyboardEvent<HTMLDivElement>): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (!step) return
    const all = [...event.currentTarget.querySelectorAll<HTMLElement>('[role=tab]')]
    const next = all[(all.indexOf(document.activeElement as HTMLElement) + step + all.length) % all.length]
    next?.focus()
    event.preventDefault()
  }
  return (
    <div className="tabs" role="tablist" aria-label={label} tabIndex={-1} onKeyDown={onKeyDown}>
      {items.map((item) => (
        <Link
          key={item.to}
          to={item.to}
          {...(item.params && { params: item.params })}
          role="tab"
          aria-selected={item.to === current}
          tabIndex={item.to === current ? 0 : -1}
          replace
        >
          {item.label}
        </Link>
      ))}
    </div>
  )
}

export function Section({ title, meta, actions, children, region = false }: { title: string; meta?: ReactNode; actions?: ReactNode; children: ReactNode; region?: boolean }) {
  return (
    <section aria-label={title} {...(region && { role: 'region' })}>
      <div className="section-head">
        <h2>{title}</h2>
        {meta && <span className="meta">{meta}</span>}
        {actions && <span className="actions">{actions}</span>}
      </div>
      {children}
    </section>
  )
}
