/** What stands where no page can. */
import { Trans } from '@lingui/react/macro'
import { t } from '@lingui/core/macro'
import { useRouter } from '@tanstack/react-router'

import { Failure, NotFound } from '@/components/Fallbacks'
import { useTitle } from '@/components/Page'

export function MissingPage() {
  useTitle(t`Not found`)
  return (
    <main id="main">
      <h1 className="unseen">
        <Trans>Not found</Trans>
      </h1>
      <NotFound />
    </main>
  )
}

export function Crash({ error, reset }: { error: unknown; reset?: () => void }) {
  const router = useRouter()
  useTitle(t`Something broke`)
  return (
    <main id="main">
      <h1 className="unseen">
        <Trans>Something broke</Trans>
      </h1>
      <Failure title={t`This page could not be shown`} error={error} retry={() => { reset?.(); void router.invalidate() }} />
    </main>
  )
}
