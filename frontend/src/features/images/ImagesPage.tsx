import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { ButtonLink } from '@/components/Button'
import { Icon } from '@/components/Icon'
import { ImageName } from '@/components/ImageName'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { bytes, count, shortId } from '@/lib/format'
import { missing, useRight } from '@/lib/rights'
import type { Image } from '@/lib/types'

import { askRemove, nameOf } from './remove'

export function ImagesPage() {
  const mayPull = useRight('images.pull')
  const mayBuild = useRight('images.build')
  const navigate = useNavigate()
  const client = useQueryClient()
  const config = useMemo<ListConfig<Image>>(() => {
    const pull = mayPull && (
      <ButtonLink kind="primary" small icon="download" to="/images/pull">
        <Trans>Pull image</Trans>
      </ButtonLink>
    )
    return {
      kind: 'images',
      title: t`Images`,
      counted: (n) => (n === 1 ? t`1 image` : t`${count(n)} images`),
      searchLabel: t`Search images`,
      searchHint: t`Name, tag, digest`,
      defaultOrder: '-created_at',
      byHost: true,
      filters: [
        { name: 'unused', label: t`use`, choices: [{ value: 'true', label: t`unused` }] },
        { name: 'dangling', label: t`name`, choices: [{ value: 'true', label: t`dangling` }] },
      ],
      columns: [
        { key: 'name', label: t`Image`, sort: 'name', cell: (image) => (image.references[0] ? <ImageName reference={image.references[0]} /> : <span className="mono muted">{shortId(image.digest)}</span>) },
        { key: 'more', label: t`Also as`, width: '20%', rank: 3, cell: (image) => <span className="muted">{image.references.slice(1).join(', ')}</span> },
        { key: 'id', label: t`Id`, width: '120px', rank: 2, cell: (image) => <span className="mono">{shortId(image.digest)}</span> },
        { key: 'size', label: t`Size`, sort: 'size', width: '96px', end: true, cell: (image) => bytes(image.size) },
        { key: 'containers', label: t`Used by`, width: '88px', rank: 1, end: true, cell: (image) => image.containers },
        { key: 'hosts', label: t`Hosts`, width: '168px', rank: 1, cell: (image) => image.hosts.map((host) => host.name).join(', ') },
        { key: 'created', label: t`Created`, sort: 'created_at', width: '112px', end: true, cell: (image) => <Ago at={image.created_at} /> },
      ],
      card: (image) => ({
        lead: <Icon name="image" />,
        title: nameOf(image),
        end: bytes(image.size),
        sub: image.hosts.map((host) => host.name).join(', '),
        subEnd: <Ago at={image.created_at} />,
      }),
      to: (image) => `/images/${image.id}`,
      nameOf,
      menu: (image) => [
        [{ label: t`Create container`, icon: 'plus', onPick: () => void navigate({ to: '/containers/new' }) }],
        [{ label: t`Remove`, icon: 'trash', danger: true, reason: missing('images.remove', image.rights), onPick: () => void askRemove(client, image) }],
      ],
      actions: (
        <>
          {mayBuild && (
            <ButtonLink small to="/images/build">
              <Trans>Build image</Trans>
            </ButtonLink>
          )}
          {pull}
        </>
      ),
      empty: { title: t`No images yet`, text: t`Images on all your hosts will be listed here.`, action: pull, cli: 'docker pull nginx' },
    }
  }, [mayPull, mayBuild, navigate, client])
  return <ListPage config={config} />
}
