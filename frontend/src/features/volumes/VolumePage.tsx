import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'

import { Ago, Facts } from '@/components/bits'
import { Button } from '@/components/Button'
import { Bones, Trouble } from '@/components/Fallbacks'
import { Page, Section } from '@/components/Page'
import { Pending } from '@/components/Pending'
import { bytes } from '@/lib/format'
import { missing } from '@/lib/rights'

import { volumeQuery } from './api/volume'
import { askRemove } from './remove'

const listed = (pairs: Record<string, string>): string => Object.entries(pairs).map(([name, value]) => `${name}=${value}`).join(', ') || '–'

export function VolumePage() {
  const { id = '' } = useParams({ strict: false })
  const { data: volume, error, isPending, refetch } = useQuery(volumeQuery(id))
  const client = useQueryClient()
  const navigate = useNavigate()
  const crumbs = [{ label: t`Volumes`, to: '/volumes' }]
  if (!volume) {
    return (
      <Page title={t`Volume`} crumbs={crumbs}>
        {isPending ? <Bones /> : <Trouble error={error} title={t`The volume could not be loaded`} retry={() => void refetch()} to="/volumes" label={t`All volumes`} />}
      </Page>
    )
  }
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
          {volume.used_by.length === 0 ? (
            <p className="muted">
              <Trans>No container uses it.</Trans>
            </p>
          ) : (
            <ul>
              {volume.used_by.map((user) => (
                <li key={user.id}>
                  <Link className="link" to="/containers/$id" params={{ id: user.id }}>
                    {user.name}
                  </Link>{' '}
                  <span className="mono muted">{user.path}</span>
                </li>
              ))}
            </ul>
          )}
        </Section>
      </div>
    </Page>
  )
}
