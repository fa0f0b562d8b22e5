import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'

import { Ago, CopyButton } from '@/components/bits'
import { Button } from '@/components/Button'
import { Bones, Empty, Failure, NotFound, Trouble } from '@/components/Fallbacks'
import { Page, Section } from '@/components/Page'
import { confirm } from '@/lib/confirm'
import { bytes, shortId } from '@/lib/format'
import { keys } from '@/lib/keys'
import { wordsOf } from '@/lib/problems'
import { useRight } from '@/lib/rights'
import { toast } from '@/lib/toasts'
import type { Repository, Tag } from '@/lib/types'

import { removeTag } from './api/remove-tag'
import { repositoryQuery } from './api/repository'
import { tagsQuery } from './api/tags'

export function RepositoryPage() {
  const { id = '' } = useParams({ strict: false })
  const { data: repository, error, isPending, refetch } = useQuery(repositoryQuery(id))
  const crumbs = [{ label: t`Registry`, to: '/registry' }]
  if (!repository) {
    return (
      <Page title={t`Repository`} crumbs={crumbs}>
        {isPending ? <Bones /> : error ? <Trouble error={error} title={t`The repository could not be loaded`} retry={() => void refetch()} to="/registry" label={t`Registry`} /> : <NotFound to="/registry" label={t`Registry`} />}
      </Page>
    )
  }
  return (
    <Page title={repository.name} focusKey={repository.id} crumbs={crumbs} beside={<span className="count">{bytes(repository.size)}</span>}>
      <Tags repository={repository} />
    </Page>
  )
}

function Tags({ repository }: { repository: Repository }) {
  const { data, error, isPending, refetch } = useQuery(tagsQuery(repository.id))
  const client = useQueryClient()
  const mayManage = useRight('registry.manage')
  if (isPending) return <Bones />
  if (error) return <Failure title={t`The tags could not be loaded`} error={error} retry={() => void refetch()} />
  const tags = data.results
  async function remove(tag: Tag): Promise<void> {
    const body = t`Hosts that have pulled it keep their copy.`
    if (!(await confirm({ title: t`Remove ${tag.name}?`, body, confirm: t`Remove`, danger: true }))) return
    try {
      await removeTag(repository.id, tag.name)
      await client.invalidateQueries({ queryKey: keys.kind('repositories') })
    } catch (problem) {
      toast({ kind: 'bad', title: t`Could not remove ${tag.name}`, detail: wordsOf(problem) })
    }
  }
  if (tags.length === 0) return <Empty title={t`No tags`} text={t`What it held can only be pulled by digest.`} />
  return (
    <Section title={t`Tags`}>
      <div className="table-scroll" role="region" aria-label={t`Tags of ${repository.name}`} tabIndex={0}>
        <table className="plain-table" aria-label={t`Tags`}>
          <thead>
            <tr>
              <th scope="col">{t`Tag`}</th>
              <th scope="col">{t`Digest`}</th>
              <th scope="col" className="num">{t`Size`}</th>
              <th scope="col" className="num">{t`Pushed`}</th>
              <th scope="col">
                <span className="unseen">{t`Actions`}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {tags.map((tag) => (
              <tr key={tag.name}>
                <td className="strong">{tag.name}</td>
                <td className="mono">{shortId(tag.digest)}</td>
                <td className="num">{bytes(tag.size)}</td>
                <td className="num">
                  <Ago at={tag.pushed_at} />
                </td>
                <td>
                  <span className="row">
                    <CopyButton text={`${location.host}/${repository.name}:${tag.name}`} label={t`Copy reference of ${tag.name}`} />
                    {mayManage && (
                      <Button small kind="plain" square icon="trash" label={t`Remove ${tag.name}`} onClick={() => void remove(tag)} />
                    )}
                  </span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p className="meta">
        <Trans>
          Pull with <code>docker pull {location.host}/{repository.name}:TAG</code>
        </Trans>
      </p>
    </Section>
  )
}
