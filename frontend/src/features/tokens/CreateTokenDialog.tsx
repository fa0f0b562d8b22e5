import { t } from '@lingui/core/macro'
import { Trans } from '@lingui/react/macro'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'

import { CopyButton } from '@/components/bits'
import { Button } from '@/components/Button'
import { Dialog } from '@/components/Dialog'
import { DialogFoot } from '@/components/DialogFoot'
import { Check, Problems, SelectField, TextField } from '@/components/Form'
import { useOrderForm } from '@/components/useOrderForm'
import { serverNow } from '@/lib/clock'
import { keys } from '@/lib/keys'
import { useMe } from '@/lib/rights'

import { createToken } from './api/create'

const DAY = 86_400_000
const FIELDS: [string, string][] = [
  ['/name', 'f-name'],
  ['/expires_at', 'f-days'],
]

export function CreateTokenDialog({ onClose }: { onClose: () => void }) {
  const client = useQueryClient()
  const rights = useMe()?.rights ?? []
  const [token, setToken] = useState('')
  const form = useOrderForm({ name: '', days: '90', limited: false, scopes: [] as string[] }, FIELDS, (draft) => [
    ...(draft.name.trim() ? [] : [{ id: 'f-name', words: t`Name the token` }]),
    ...(draft.limited && draft.scopes.length === 0 ? [{ id: 'f-scopes', words: t`Choose at least one right` }] : []),
  ])
  const { draft, set, errors } = form
  async function send(): Promise<void> {
    try {
      const made = await createToken({ name: draft.name.trim(), scopes: draft.limited ? draft.scopes : [], expires_at: new Date(serverNow() + Number(draft.days) * DAY).toISOString() })
      setToken(made.token)
      await client.invalidateQueries({ queryKey: keys.kind('tokens') })
    } catch (error) {
      form.refuse(error)
    }
  }
  if (token) {
    return (
      <Dialog keep onClose={onClose} title={t`Token ${draft.name} created`}>
        <div className="dialog-body stack">
          <TextField label={t`Token`} mono readOnly value={token} hint={t`Shown only now: store it where it is needed.`} onChange={() => undefined} />
          <div className="row">
            <CopyButton text={token} label={t`Copy token`} words={t`Copy token`} />
          </div>
        </div>
        <div className="dialog-foot">
          <Button onClick={onClose}>
            <Trans>Close</Trans>
          </Button>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog onClose={onClose} title={t`Create token`}>
      <form noValidate onSubmit={(event) => { event.preventDefault(); form.submit(send) }}>
        <div className="dialog-body stack">
          <Problems items={form.problems} round={form.round} />
          <TextField id="f-name" label={t`Name`} value={draft.name} error={errors['f-name']} data-autofocus hint={t`What it is for, as "ci".`} onChange={(name) => { set({ name }); }} />
          <SelectField id="f-days" label={t`Expires after`} value={draft.days} error={errors['f-days']} options={[30, 90, 365, 730].map((days) => ({ value: String(days), label: t`${days} days` }))} onChange={(days) => { set({ days }); }} />
          <Check label={t`Only some of my rights`} checked={draft.limited} onChange={(limited) => { set({ limited }); }} />
          {draft.limited && (
            <div id="f-scopes" className="scopes" role="group" aria-label={t`Scopes`} tabIndex={-1}>
              {rights.map((right) => (
                <Check key={right} label={right} checked={draft.scopes.includes(right)} onChange={(on) => { set({ scopes: on ? [...draft.scopes, right] : draft.scopes.filter((item) => item !== right) }); }} />
              ))}
            </div>
          )}
        </div>
        <DialogFoot onClose={onClose} busy={form.busy} send={t`Create token`} />
      </form>
    </Dialog>
  )
}
