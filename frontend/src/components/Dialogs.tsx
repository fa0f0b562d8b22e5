/** The dialogs that any page may raise: confirm, offline host. */
import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useId, useState } from 'react'

import { serverNow, useNow } from '@/lib/clock'
import { question } from '@/lib/confirm'
import { age, clock } from '@/lib/format'
import { useList } from '@/lib/lists'
import { offlineQuestion } from '@/lib/orders'
import { useStore } from '@/lib/store'
import type { Host } from '@/lib/types'

import { Button } from './Button'
import { Dialog } from './Dialog'

export function ConfirmDialog() {
  const asked = useStore(question)
  return asked && <Confirm key={asked.title} {...asked} />
}

function Confirm({ title, body, list, confirm, danger, check, type, answer }: NonNullable<ReturnType<typeof question.get>>) {
  const [checked, setChecked] = useState(false)
  const [typed, setTyped] = useState('')
  const id = useId()
  const blocked = type !== undefined && typed !== type.name
  return (
    <Dialog title={title} question onClose={() => { answer(null); }}>
      <div className="dialog-body stack">
        {body && <p>{body}</p>}
        {list && (
          <ul className="bullets">
            {list.map((item, n) => (
              <li key={`${item} ${String(n)}`}>{item}</li>
            ))}
          </ul>
        )}
        {check && (
          <label className="check-line">
            <input type="checkbox" checked={checked} onChange={(event) => { setChecked(event.target.checked); }} />
            {check}
          </label>
        )}
        {type && (
          <div className="field">
            <label htmlFor={id}>{type.label}</label>
            <input id={id} className="input mono" data-autofocus autoComplete="off" value={typed} onChange={(event) => { setTyped(event.target.value); }} />
          </div>
        )}
      </div>
      <div className="dialog-foot">
        <Button onClick={() => { answer(null); }} {...(!type && { 'data-autofocus': true })}>
          <Trans>Cancel</Trans>
        </Button>
        <Button kind={danger ? 'danger' : 'primary'} reason={blocked ? t`The name is not typed yet` : undefined} onClick={() => { answer({ checked }); }}>
          {confirm}
        </Button>
      </div>
    </Dialog>
  )
}

const WAITS = [15, 60, 240, 1440]

export function OfflineDialog() {
  const asked = useStore(offlineQuestion)
  return asked && <Offline key={asked.host.id} {...asked} />
}

function Offline({ host, minutes, answer }: NonNullable<ReturnType<typeof offlineQuestion.get>>) {
  const [wait, setWait] = useState(minutes)
  const [changing, setChanging] = useState(false)
  const now = useNow()
  const { rows } = useList<Host>('hosts', { id: host.id })
  const since = rows.find((row) => row.id === host.id)?.offline_since
  const until = new Date(serverNow() + wait * 60_000).toISOString()
  const at = clock(until, false)
  return (
    <Dialog title={since ? t`${host.name} has been offline for ${age((now - Date.parse(since)) / 1000)}` : t`${host.name} is offline`} question onClose={() => { answer(null); }}>
      <div className="dialog-body stack">
        <p className="muted">
          <Trans>The order waits for it and is dropped after {at}.</Trans>
        </p>
        {changing && (
          <div className="row" role="group" aria-label={t`Wait for`}>
            {[...new Set([...WAITS, minutes])].sort((a, b) => a - b).map((option) => (
              <Button key={option} small aria-pressed={wait === option} onClick={() => { setWait(option); }}>
                {option < 60 ? t`${option} min` : t`${option / 60} h`}
              </Button>
            ))}
          </div>
        )}
      </div>
      <div className="dialog-foot">
        <span className="grow">
          {!changing && (
            <Button kind="plain" small onClick={() => { setChanging(true); }}>
              <Trans>Change time</Trans>
            </Button>
          )}
        </span>
        <Button data-autofocus onClick={() => { answer(null); }}>
          <Trans>Cancel</Trans>
        </Button>
        <Button kind="primary" onClick={() => { answer(until); }}>
          <Trans>Queue until {at}</Trans>
        </Button>
      </div>
    </Dialog>
  )
}
