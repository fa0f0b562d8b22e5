import { t } from '@lingui/core/macro'

import { Button } from './Button'
import { TextField } from './Form'

export interface Pair {
  key: string
  value: string
}

/** Rows of key and value: environment, labels, options. */
export function Pairs({ pairs, onChange, add, secret = false, errors = {}, prefix }: { pairs: Pair[]; onChange: (pairs: Pair[]) => void; add: string; secret?: boolean; errors?: Record<number, string>; prefix: string }) {
  const change = (at: number, part: Partial<Pair>): void => { onChange(pairs.map((pair, n) => (n === at ? { ...pair, ...part } : pair))); }
  return (
    <>
      {pairs.length > 0 && (
        <div className="line-rows">
          {pairs.map((pair, n) => (
            <div key={n} className="line-row pairs">
              <TextField id={`${prefix}-${String(n)}`} label={t`Key`} mono value={pair.key} error={errors[n]} onChange={(key) => { change(n, { key }); }} autoFocus={pair.key === '' && n === pairs.length - 1} />
              <TextField label={t`Value`} mono type={secret ? 'password' : 'text'} value={pair.value} onChange={(value) => { change(n, { value }); }} />
              <Button kind="plain" square icon="x" label={pair.key ? t`Remove ${pair.key}` : t`Remove row ${n + 1}`} onClick={() => { onChange(pairs.filter((_, at) => at !== n)); }} />
            </div>
          ))}
        </div>
      )}
      <div className="row">
        <Button small icon="plus" onClick={() => { onChange([...pairs, { key: '', value: '' }]); }}>
          {add}
        </Button>
      </div>
    </>
  )
}

export const record = (pairs: Pair[]): Record<string, string> => Object.fromEntries(pairs.filter((pair) => pair.key !== '').map((pair) => [pair.key, pair.value]))

/** A field of a request for the rows that have a key; nothing without any. */
export function filled<Name extends string>(name: Name, pairs: Pair[]): Partial<Record<Name, Record<string, string>>> {
  const found = record(pairs)
  return Object.keys(found).length > 0 ? ({ [name]: found } as Record<Name, Record<string, string>>) : {}
}
