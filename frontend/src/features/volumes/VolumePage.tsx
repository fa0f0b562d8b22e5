import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'

import { Ago, Facts } from '@/components/bits'
import { Button } from '@/components/Button'
import { Containers } from '@/components/Containers'
import { Page, Section } from '@/components/Page'
import { Pending } from '@/components/Pending'
import { type Crumb, Unloaded } from '@/components/Unloaded'
import { bytes } from '@/lib/format'
import { missing } from '@/lib/rights'

import { volumeQuery } from './api/volume'
import { askRemove } from './remove'

const listed = (pairs: Record<string, string>): string => Object.entries(pairs).map(([name, value]) => `${name}=${value}`).join(', ') || '–'

export function VolumePage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(volumeQuery(id))
  const volume = query.data
  const client = useQueryClient()
  const navigate = useNavigate()
  const crumbs: [Crumb] = [{ label: t`Volumes`, to: '/volumes' }]
  if (!volume) return <Unloaded title={t`Volume`} crumbs={crumbs} query={query} failed={t`The volume could not be loaded`} back={t`All volumes`} />
  async function remove(): Promise<void> {
    if (volume && (await askRemove(client, volume))) await navigate({ to: '/volumes' })
  }
  return (
    <Page
      title={volume.name}
      focusKey={volume.id}
      crumbs={crumbs}
      beside={<Pending row={volume} />}
      actions={
        <Button small kind="danger-text" icon="trash" reason={missing('volumes.manage', volume.rights, volume.host.name)} onClick={() => void remove()}>
          <Trans>Remove</Trans>
        </Button>
      }
    >
      <div className="sections">
        <Section title={t`About`}>
          <Facts
            rows={[
              [t`Host`, <Link key="h" className="link" to="/hosts/$id" params={{ id: volume.host.id }}>{volume.host.name}</Link>],
              [t`Driver`, volume.driver],
              [t`Size`, bytes(volume.size)],
              [t`Path`, <span key="p" className="mono">{volume.mountpoint || '–'}</span>],
              [t`Created`, <Ago key="c" at={volume.created_at} />],
              [t`Options`, listed(volume.options)],
              [t`Labels`, listed(volume.labels)],
            ]}
          />
        </Section>
        <Section title={t`Used by`}>
          <Containers items={volume.used_by.map((user) => ({ ...user, note: user.path }))} none={t`No container uses it.`} />
        </Section>
      </div>
    </Page>
  )
}
