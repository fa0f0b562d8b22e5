import './list.css'

import { useDebouncedCallback, useMediaQuery } from '@mantine/hooks'
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useRef, useState } from 'react'

import { Empty, Failure } from '@/components/Fallbacks'
import { Icon } from '@/components/Icon'
import { Page } from '@/components/Page'
import { Button } from '@/components/Button'
import { Problem } from '@/lib/api'
import { clock, count as formatCount } from '@/lib/format'
import { MOST_ROWS, useList } from '@/lib/lists'
import { wordsOf } from '@/lib/problems'
import type { Row } from '@/lib/types'

import { BulkBar } from './BulkBar'
import { Cards } from './Cards'
import { FilterButtons, FilterChips } from './Filters'
import { type Selection, useSelection, useStableOrder } from './hooks'
import { OfflineHosts } from './OfflineHosts'
import { SkeletonRows, Table } from './Table'
import type { ListConfig } from './types'
import { type ListUrl, useListUrl } from './url'

/** Every list of the dashboard: the view is in the URL, rows are live, no state of it is blank. */
export function ListPage<T extends Row>({ config }: { config: ListConfig<T> }) {
  const url = useListUrl(config.filters ?? [], config.defaultOrder, config.byHost ?? false)
  const { rows, count, query } = useList<T>(config.kind, url.params)
  const [touched, setTouched] = useState(false)
  const phone = useMediaQuery('(max-width: 640px)', undefined, { getInitialValueInEffect: false })
  const shown = useStableOrder(rows, touched && !query.isPlaceholderData)
  const selection = useSelection(shown)
  const counted = count === undefined ? '' : config.counted(count)
  return (
    <Page
      title={config.title}
      className="list"
      beside={
        <span className="count" role="status" aria-label={counted}>
          {count !== undefined && formatCount(count)}
        </span>
      }
      actions={config.actions}
    >
      <Tools config={config} url={url} />
      {/* Not a control: it only notices that somebody is busy in the list, and rows then keep their places. */}
      {/* eslint-disable-next-line jsx-a11y/no-static-element-interactions */}
      <div
        className="bleed"
        onPointerEnter={() => { setTouched(true); }}
        onPointerLeave={() => { setTouched(false); }}
        onFocus={() => { setTouched(true); }}
        onBlur={(event) => {
          if (!event.currentTarget.contains(event.relatedTarget)) setTouched(false)
        }}
      >
        {config.hostOf && <OfflineHosts rows={rows} hostOf={config.hostOf} />}
        {query.isError && rows.length > 0 && <RefreshFailed error={query.error} at={query.dataUpdatedAt} retry={() => void query.refetch()} />}
        {config.bulk && !phone && <BulkBar selection={selection} shown={shown} actions={config.bulk} counted={counted} />}
        <div className="refetching" data-on={query.isFetching && !query.isPending} />
        <Body config={config} rows={shown} list={{ count, query }} url={url} selection={selection} phone={phone} />
      </div>
    </Page>
  )
}

function Tools<T extends Row>({ config, url }: { config: ListConfig<T>; url: ListUrl }) {
  const [text, setText] = useState(url.search)
  const typed = useRef(url.search)
  if (url.search !== typed.current) {
    typed.current = url.search
    if (text !== url.search) setText(url.search)
  }
  const send = useDebouncedCallback((value: string) => {
    typed.current = value
    url.set({ search: value || undefined })
  }, 150)
  return (
    <div className="list-tools">
      <div className="searchbox">
        <Icon name="search" />
        <input
          className="input"
          type="search"
          role="searchbox"
          aria-label={config.searchLabel}
          placeholder={config.searchHint}
          value={text}
          onChange={(event) => {
            setText(event.target.value)
            send(event.target.value)
          }}
        />
      </div>
      <div className="filters">
        <FilterButtons filters={config.filters ?? []} url={url} />
        <FilterChips filters={config.filters ?? []} url={url} />
        {url.filtered && (
          <Button kind="plain" small onClick={() => { setText(''); url.clear() }}>
            <Trans>Clear filters</Trans>
          </Button>
        )}
      </div>
    </div>
  )
}

interface BodyProps<T extends Row> {
  config: ListConfig<T>
  rows: T[]
  list: Pick<ReturnType<typeof useList<T>>, 'count' | 'query'>
  url: ListUrl
  selection: Selection<T>
  phone: boolean
}

function Body<T extends Row>({ config, rows, list: { count, query }, url, selection, phone }: BodyProps<T>) {
  if (query.isPending) return <SkeletonRows config={config} selectable={config.bulk !== undefined} />
  if (query.isError && rows.length === 0) return <Failure title={t`The list could not be loaded`} error={query.error} retry={() => void query.refetch()} />
  if (rows.length === 0 && url.filtered) {
    return (
      <Empty title={t`Nothing matches these filters`}>
        <Button onClick={url.clear}>
          <Trans>Clear filters</Trans>
        </Button>
      </Empty>
    )
  }
  if (rows.length === 0) {
    return (
      <Empty title={config.empty.title} text={config.empty.text} {...(config.empty.cli && { cli: config.empty.cli })}>
        {config.empty.action}
      </Empty>
    )
  }
  return (
    <>
      {phone ? <Cards config={config} rows={rows} /> : <Table config={config} rows={rows} url={url} selection={selection} />}
      {count !== undefined && count > MOST_ROWS && rows.length >= MOST_ROWS && (
        <p className="list-more muted">
          <Trans>
            Showing {formatCount(MOST_ROWS)} of {formatCount(count)}. Narrow the filter.
          </Trans>
        </p>
      )}
    </>
  )
}

function RefreshFailed({ error, at, retry }: { error: unknown; at: number; retry: () => void }) {
  const status = error instanceof Problem && error.status > 0 ? String(error.status) : wordsOf(error)
  const since = clock(new Date(at).toISOString())
  return (
    <div className="banner bad-banner" role="alert">
      <Icon name="alert" />
      <span className="grow">
        <Trans>
          Could not refresh ({status}). Data from {since}.
        </Trans>
      </span>
      <Button small kind="plain" onClick={retry}>
        <Trans>Retry</Trans>
      </Button>
    </div>
  )
}
