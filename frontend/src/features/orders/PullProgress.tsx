import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'

import { Meter } from '@/components/bits'
import { StateIcon } from '@/components/Icon'
import { bytes, shortId } from '@/lib/format'
import type { Order } from '@/lib/types'

import type { Layer } from './progress'

const ENDED = ['done', 'exists']

/** One bar by bytes, one row a layer. */
export function PullProgress({ order, layers }: { order: Order; layers: Layer[] }) {
  const total = layers.reduce((sum, layer) => sum + (layer.total ?? 0), 0) || (order.progress?.total ?? 0)
  const current = layers.length > 0 ? layers.reduce((sum, layer) => sum + (ENDED.includes(layer.phase) ? (layer.total ?? 0) : (layer.current ?? 0)), 0) : (order.progress?.current ?? 0)
  const done = order.state === 'done'
  const share = done ? 100 : total > 0 ? Math.min(100, (current / total) * 100) : 0
  return (
    <section aria-label={t`Progress`}>
      <div className="total">
        <span className="big">{bytes(done && total ? total : current)}</span>
        {total > 0 && (
          <span className="muted">
            <Trans>of {bytes(total)}</Trans>
          </span>
        )}
        <span className="grow" />
        <span className="muted">{order.progress?.text}</span>
      </div>
      <span className={`meter thick ${done ? 'done' : 'accent'}`} role="progressbar" aria-label={t`Pulling ${order.target.name}`} aria-valuenow={Math.round(share)} aria-valuemin={0} aria-valuemax={100}>
        <i style={{ inlineSize: `${String(share)}%` }} />
      </span>
      {layers.length > 0 && (
        <table className="plain-table layers" aria-label={t`Layers`}>
          <thead>
            <tr>
              <th scope="col">{t`Layer`}</th>
              <th scope="col">{t`Phase`}</th>
              <th scope="col">
                <span className="unseen">{t`Progress`}</span>
              </th>
              <th scope="col" className="num">{t`Size`}</th>
            </tr>
          </thead>
          <tbody>
            {layers.map((layer) => (
              <LayerRow key={layer.id} layer={layer} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function LayerRow({ layer }: { layer: Layer }) {
  const words: Record<string, string> = { waiting: t`waiting`, downloading: t`downloading`, verifying: t`verifying`, unpacking: t`unpacking`, done: t`done`, exists: t`exists` }
  const look = layer.phase === 'done' ? { icon: 's-healthy', tone: 'ok' } : layer.phase === 'exists' ? { icon: 's-healthy', tone: 'muted' } : layer.phase === 'waiting' ? { icon: 's-created', tone: 'muted' } : { icon: 's-busy', tone: 'busy' }
  const share = layer.phase === 'done' ? 100 : layer.total ? ((layer.current ?? 0) / layer.total) * 100 : 0
  return (
    <tr>
      <td className="mono">{shortId(layer.id)}</td>
      <td>
        <span className={`state ${look.tone}`}>
          <StateIcon icon={look.icon} />
          <span className="words">{words[layer.phase] ?? layer.phase}</span>
        </span>
      </td>
      <td>{layer.phase !== 'exists' && <Meter value={share} tone={layer.phase === 'done' ? 'done' : 'accent'} label={t`Layer ${shortId(layer.id)}`} />}</td>
      <td className="num muted">{layer.total ? bytes(layer.total) : ''}</td>
    </tr>
  )
}
