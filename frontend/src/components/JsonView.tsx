import { t } from '@lingui/core/macro'
import { useMemo, useState } from 'react'

import { CopyButton } from './bits'
import { Icon } from './Icon'

/** The engine's JSON: search keeps the lines that match, copying takes all. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  const [words, setWords] = useState('')
  const text = useMemo(() => JSON.stringify(value, null, 2), [value])
  const lines = text.split('\n')
  const shown = words ? lines.filter((line) => line.toLowerCase().includes(words.toLowerCase())) : lines
  return (
    <>
      <div className="row inspect-tools">
        <div className="searchbox">
          <Icon name="search" />
          <input className="input" type="search" role="searchbox" aria-label={t`Search in JSON`} placeholder={t`Search`} value={words} onChange={(event) => { setWords(event.target.value); }} />
        </div>
        <CopyButton text={text} label={t`Copy JSON`} words={t`Copy JSON`} />
      </div>
      <pre className="json" tabIndex={0} aria-label={label}>
        {shown.join('\n')}
      </pre>
    </>
  )
}
