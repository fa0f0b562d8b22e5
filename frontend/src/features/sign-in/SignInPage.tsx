import './sign-in.css'

import { Trans } from '@lingui/react/macro'
import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'

import { useTitle } from '@/components/Page'
import { SignInForm } from '@/components/SignInForm'
import { one } from '@/lib/search'

/** Only a path of this site: an address from elsewhere must not choose where a person lands. */
export function safeNext(next: string): string {
  return next.startsWith('/') && !next.startsWith('//') && !next.includes('\\') ? next : '/'
}

export function SignInPage() {
  useTitle(t`Sign in`)
  const search: Record<string, string | string[] | undefined> = useSearch({ strict: false })
  const client = useQueryClient()
  const navigate = useNavigate()
  async function done(): Promise<void> {
    client.clear()
    await navigate({ href: safeNext(one(search.next)), replace: true })
  }
  return (
    <main className="signin" id="main">
      <div className="signin-form">
        <span className="brand">
          <svg viewBox="0 0 20 20" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinejoin="round" strokeLinecap="round" aria-hidden="true">
            <path d="M2.5 16.5h15M4.5 13.5v-5h5v5zM9.5 13.5v-5h5v5zM7 8.5v-5h5v5z" />
          </svg>
          Longshore
        </span>
        <h1>
          <Trans>Sign in</Trans>
        </h1>
        <SignInForm onDone={() => void done()} />
      </div>
      <p className="meta">{location.host}</p>
    </main>
  )
}
