import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'

import { Ago } from '@/components/bits'
import { ButtonLink } from '@/components/Button'
import { Icon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { Pending } from '@/components/Pending'
import { bytes, count } from '@/lib/format'
import { missing, useRight } from '@/lib/rights'
import type { Volume } from '@/lib/types'

import { askRemove } from './remove'

const usersOf = (volume: Volume): string => volume.used_by.map((user) => user.name).join(', ')

export function VolumesPage() {
  const mayManage = useRight('volumes.manage')
  const client = useQueryClient()
  const config = useMemo<ListConfig<Volume>>(() => {
    const create = mayManage && (
      <ButtonLink kind="primary" small icon="plus" to="/volumes/new">
        <Trans>Create volume</Trans>
      </ButtonLink>
    )
    return {
      kind: 'volumes',
      title: t`Volumes`,
      counted: (n) => (n === 1 ? t`1 volume` : t`${count(n)} volumes`),
      searchLabel: t`Search volumes`,
      searchHint: t`Name`,
      defaultOrder: 'name',
      byHost: true,
      filters: [{ name: 'unused', label: t`use`, choices: [{ value: 'true', label: t`unused` }] }],
      columns: [
        { key: 'name', label: t`Name`, sort: 'name', cell: (volume) => volume.name },
        { key: 'driver', label: t`Driver`, width: '96px', rank: 2, cell: (volume) => volume.driver },
        { key: 'host', label: t`Host`, sort: 'host', width: '136px', cell: (volume) => volume.host.name },
        { key: 'size', label: t`Size`, width: '96px', rank: 1, end: true, cell: (volume) => bytes(volume.size) },
        { key: 'used', label: t`Used by`, width: '20%', rank: 1, cell: usersOf },
        { key: 'created', label: t`Created`, width: '112px', rank: 2, end: true, cell: (volume) => <Ago at={volume.created_at} /> },
      ],
      card: (volume) => ({ lead: <Icon name="volume" />, title: volume.name, end: bytes(volume.size), sub: [volume.host.name, usersOf(volume)].filter(Boolean).join(' · ') }),
      to: (volume) => `/volumes/${volume.id}`,
      beside: (volume) => <Pending row={volume} />,
      nameOf: (volume) => volume.name,
      stateOf: (volume) => volume.state,
      hostOf: (volume) => volume.host,
      menu: (volume) => [[{ label: t`Remove`, icon: 'trash', danger: true, reason: missing('volumes.manage', volume.rights, volume.host.name), onPick: () => void askRemove(client, volume) }]],
      actions: create,
      empty: { title: t`No volumes yet`, text: t`Volumes keep data when containers go.`, action: create, cli: 'docker volume create data' },
    }
  }, [mayManage, client])
  return <ListPage config={config} />
}
