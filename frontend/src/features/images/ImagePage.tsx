import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useState } from 'react'

import { Ago, Copyable, Facts } from '@/components/bits'
import { Button } from '@/components/Button'
import { Bones } from '@/components/Fallbacks'
import { Page, Section } from '@/components/Page'
import { type Crumb, Unloaded } from '@/components/Unloaded'
import { bytes, shortId } from '@/lib/format'
import { missing } from '@/lib/rights'
import type { Image } from '@/lib/types'

import { imageHistoryQuery } from './api/history'
import { imageQuery } from './api/image'
import { usedByQuery } from './api/used-by'
import { NameDialog } from './NameDialog'
import { askRemove, nameOf } from './remove'

export function ImagePage() {
  const { id = '' } = useParams({ strict: false })
  const query = useQuery(imageQuery(id))
  const image = query.data
  const client = useQueryClient()
  const [verb, setVerb] = useState<'tag' | 'push'>()
  const crumbs: [Crumb] = [{ label: t`Images`, to: '/images' }]
  if (!image) return <Unloaded title={t`Image`} crumbs={crumbs} query={query} failed={t`The image could not be loaded`} back={t`All images`} />
  const mayName = missing('images.build', image.rights)
  return (
    <Page
      title={nameOf(image)}
      focusKey={image.id}
      crumbs={crumbs}
      actions={
        <>
          <Button small reason={mayName} onClick={() => { setVerb('tag'); }}>
            <Trans>Tag</Trans>
          </Button>
          <Button small reason={mayName ?? (image.references.length === 0 ? t`It has no name yet: tag it first` : undefined)} onClick={() => { setVerb('push'); }}>
            <Trans>Push</Trans>
          </Button>
          <Button small kind="danger-text" icon="trash" reason={missing('images.remove', image.rights)} onClick={() => void askRemove(client, image)}>
            <Trans>Remove</Trans>
          </Button>
          {verb && <NameDialog key={verb} image={image} verb={verb} onClose={() => { setVerb(undefined); }} />}
        </>
      }
    >
      <div className="split">
        <div className="col">
          <UsedBy id={image.id} />
          <Layers id={image.id} />
        </div>
        <aside className="col" aria-label={t`Facts`}>
          <Section title={t`About`}>
            <Facts
              rows={[
                [t`References`, <span key="r" className="mono">{image.references.join('\n') || '–'}</span>],
                [t`Id`, <Copyable key="i" text={image.digest} shown={shortId(image.digest)} label={t`Copy id`} />],
                [t`Size`, bytes(image.size)],
                [t`Platform`, [image.os, image.architecture].filter(Boolean).join('/') || '–'],
                [t`Created`, <Ago key="c" at={image.created_at} />],
                [t`Hosts`, <HostLinks key="h" image={image} />],
              ]}
            />
          </Section>
        </aside>
      </div>
    </Page>
  )
}

function HostLinks({ image }: { image: Image }) {
  return image.hosts.map((host, n) => (
    <span key={host.id}>
      {n > 0 && ', '}
      <Link className="link" to="/hosts/$id" params={{ id: host.id }}>
        {host.name}
      </Link>
    </span>
  ))
}

function UsedBy({ id }: { id: string }) {
  const { data, isPending } = useQuery(usedByQuery(id))
  const users = data?.results ?? []
  return (
    <Section title={t`Used by`}>
      {isPending && <Bones lines={2} />}
      {data && users.length === 0 && (
        <p className="muted">
          <Trans>No container uses it.</Trans>
        </p>
      )}
      {users.length > 0 && (
        <table className="plain-table" aria-label={t`Used by`}>
          <thead>
            <tr>
              <th scope="col">{t`Container`}</th>
              <th scope="col">{t`Host`}</th>
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <tr key={user.id}>
                <td>
                  <Link className="strong" to="/containers/$id" params={{ id: user.id }}>
                    {user.name}
                  </Link>
                </td>
                <td>{user.host.name}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  )
}

function Layers({ id }: { id: string }) {
  const { data, error, isPending } = useQuery(imageHistoryQuery(id))
  return (
    <Section title={t`Layers`}>
      {isPending && <Bones lines={4} />}
      {error && <p className="muted">{t`Not known now: ${error.message}`}</p>}
      {data && (
        <div className="table-scroll" role="region" aria-label={t`Layers, newest first`} tabIndex={0}>
          <table className="plain-table" aria-label={t`Layers`}>
            <thead>
              <tr>
                <th scope="col">{t`Instruction`}</th>
                <th scope="col" className="num">{t`Size`}</th>
              </tr>
            </thead>
            <tbody>
              {data.results.map((step, n) => (
                <tr key={n}>
                  <td className="mono">{step.created_by.replace(/^\/bin\/sh -c (#\(nop\) +)?/, '') || <span className="muted">{step.comment || t`imported`}</span>}</td>
                  <td className="num">{bytes(step.size)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Section>
  )
}
