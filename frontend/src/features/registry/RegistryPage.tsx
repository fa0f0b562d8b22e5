import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { Icon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { bytes, count } from '@/lib/format'
import type { Repository } from '@/lib/types'

const tagsOf = (repository: Repository): string => (repository.tags === 1 ? t`1 tag` : t`${count(repository.tags)} tags`)

export function RegistryPage() {
  const navigate = useNavigate()
  const config = useMemo<ListConfig<Repository>>(
    () => ({
      kind: 'repositories',
      title: t`Registry`,
      counted: (n) => (n === 1 ? t`1 repository` : t`${count(n)} repositories`),
      searchLabel: t`Search repositories`,
      searchHint: t`Name`,
      defaultOrder: 'name',
      columns: [
        { key: 'name', label: t`Repository`, sort: 'name', cell: (repository) => repository.name },
        { key: 'tags', label: t`Tags`, width: '96px', end: true, cell: (repository) => count(repository.tags) },
        { key: 'size', label: t`Size`, width: '112px', rank: 1, end: true, cell: (repository) => bytes(repository.size) },
        { key: 'by', label: t`Pushed by`, width: '144px', rank: 1, cell: (repository) => repository.pushed_by },
        { key: 'pushed', label: t`Last push`, width: '120px', end: true, cell: (repository) => <Ago at={repository.pushed_at} /> },
      ],
      card: (repository) => ({ lead: <Icon name="registry" />, title: repository.name, end: bytes(repository.size), sub: tagsOf(repository), subEnd: <Ago at={repository.pushed_at} /> }),
      to: (repository) => `/registry/${repository.id}`,
      nameOf: (repository) => repository.name,
      menu: (repository) => [[{ label: t`Open`, icon: 'registry', onPick: () => void navigate({ to: '/registry/$id', params: { id: repository.id } }) }]],
      empty: {
        title: t`Nothing was pushed yet`,
        text: t`Images pushed to this address are kept here, and every host may pull them.`,
        action: (
          <code className="cli">{`docker tag app ${location.host}/app:1 && docker push ${location.host}/app:1`}</code>
        ),
      },
      actions: (
        <span className="meta">
          <Trans>
            Push to <code>{location.host}</code>
          </Trans>
        </span>
      ),
    }),
    [navigate],
  )
  return <ListPage config={config} />
}
