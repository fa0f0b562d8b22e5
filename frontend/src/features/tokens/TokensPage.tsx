import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'

import { Ago } from '@/components/bits'
import { Button } from '@/components/Button'
import { Icon } from '@/components/Icon'
import { ListPage } from '@/components/list/ListPage'
import type { ListConfig } from '@/components/list/types'
import { confirm } from '@/lib/confirm'
import { count, date } from '@/lib/format'
import { keys } from '@/lib/keys'
import { wordsOf } from '@/lib/problems'
import { toast } from '@/lib/toasts'
import type { ApiToken } from '@/lib/types'

import { revokeToken } from './api/revoke'
import { CreateTokenDialog } from './CreateTokenDialog'

const scopesOf = (token: ApiToken): string => token.scopes.join(', ') || t`all of mine`

export function TokensPage() {
  const client = useQueryClient()
  const [creating, setCreating] = useState(false)
  const config = useMemo<ListConfig<ApiToken>>(() => {
    async function revoke(token: ApiToken): Promise<void> {
      const body = t`Whatever uses it is refused from now on.`
      if (!(await confirm({ title: t`Revoke ${token.name}?`, body, confirm: t`Revoke`, danger: true }))) return
      try {
        await revokeToken(token.id)
        await client.invalidateQueries({ queryKey: keys.kind('tokens') })
      } catch (error) {
        toast({ kind: 'bad', title: t`Could not revoke ${token.name}`, detail: wordsOf(error) })
      }
    }
    const create = (
      <Button kind="primary" small icon="plus" onClick={() => { setCreating(true); }}>
        <Trans>Create token</Trans>
      </Button>
    )
    return {
      kind: 'tokens',
      title: t`API tokens`,
      counted: (n) => (n === 1 ? t`1 token` : t`${count(n)} tokens`),
      searchLabel: t`Search tokens`,
      searchHint: t`Name`,
      defaultOrder: 'name',
      columns: [
        { key: 'name', label: t`Name`, sort: 'name', cell: (token) => token.name },
        { key: 'hint', label: t`Begins with`, width: '128px', rank: 1, cell: (token) => <span className="mono muted">{token.hint}…</span> },
        { key: 'scopes', label: t`Scopes`, width: '30%', rank: 1, cell: scopesOf },
        { key: 'used', label: t`Last used`, width: '128px', rank: 2, cell: (token) => <Ago at={token.last_used_at} /> },
        { key: 'from', label: t`From`, width: '128px', rank: 2, cell: (token) => <span className="mono muted">{token.last_used_from}</span> },
        { key: 'expires', label: t`Expires`, width: '120px', end: true, cell: (token) => (token.expires_at ? date(token.expires_at) : '–') },
      ],
      card: (token) => ({ lead: <Icon name="key" />, title: token.name, end: token.expires_at ? date(token.expires_at) : '', sub: scopesOf(token) }),
      nameOf: (token) => token.name,
      menu: (token) => [[{ label: t`Revoke`, icon: 'trash', danger: true, onPick: () => void revoke(token) }]],
      actions: create,
      empty: { title: t`No tokens yet`, text: t`A token lets a script or CI do what you may do, or less.`, action: create },
    }
  }, [client])
  return (
    <>
      <ListPage config={config} />
      {creating && <CreateTokenDialog onClose={() => { setCreating(false); }} />}
    </>
  )
}
