import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery } from '@tanstack/react-query'

import { Ago } from '@/components/bits'
import { Bones, Failure } from '@/components/Fallbacks'
import { JsonView } from '@/components/JsonView'

import { inspectQuery } from './api/inspect'
import { useContainer } from './ContainerPage'

export function Inspect() {
  const row = useContainer()
  const { data, error, isPending, refetch } = useQuery({ ...inspectQuery(row?.id ?? ''), enabled: row !== undefined })
  if (!row || isPending) return <Bones />
  if (!data) return <Failure title={t`The engine's answer could not be loaded`} error={error} retry={() => void refetch()} />
  return (
    <>
      {!data.live && (
        <p className="muted note">
          <Trans>
            {row.host.name} is offline: this is the copy of <Ago at={data.observed_at} />.
          </Trans>
        </p>
      )}
      <JsonView value={data.inspect} label={t`Inspect`} />
    </>
  )
}
