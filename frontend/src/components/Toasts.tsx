import './toasts.css'

import { t } from '@lingui/core/macro'
import { Link } from '@tanstack/react-router'

import { useStore } from '@/lib/store'
import { dismiss, type Toast, toasts } from '@/lib/toasts'

import { Button } from './Button'
import { StateIcon } from './Icon'

const ICONS = { ok: 's-healthy', bad: 's-exited', busy: 's-busy' }

/** Results are said politely, failures at once; both stay readable in their regions. */
export function Toasts() {
  const all = useStore(toasts)
  return (
    <div className="toasts">
      <div role="status" aria-label={t`Notifications`}>
        {all.filter((item) => item.kind !== 'bad').map((item) => <Note key={item.id} {...item} />)}
      </div>
      <div role="alert" aria-label={t`Errors`}>
        {all.filter((item) => item.kind === 'bad').map((item) => <Note key={item.id} {...item} />)}
      </div>
    </div>
  )
}

function Note({ id, kind, title, detail, link }: Toast) {
  return (
    <div className="toast">
      <StateIcon icon={ICONS[kind]} tone={kind} />
      <span className="wrap strong">{link ? <Link to={link}>{title}</Link> : title}</span>
      <Button kind="plain" small square icon="x" label={t`Dismiss`} onClick={() => { dismiss(id); }} />
      {detail && <span className="meta wrap">{detail}</span>}
    </div>
  )
}
