/** A host's name and labels. */
import { t } from '@lingui/core/macro'
import { useQueryClient } from '@tanstack/react-query'

import { Dialog } from '@/components/Dialog'
import { DialogFoot } from '@/components/DialogFoot'
import { Problems, TextField } from '@/components/Form'
import { Pairs, record } from '@/components/Pairs'
import { useOrderForm } from '@/components/useOrderForm'
import { keys } from '@/lib/keys'
import { hostNameWords, isHostName } from '@/lib/names'
import type { Host } from '@/lib/types'

import { changeHost } from './api/change'

const FIELDS: [string, string][] = [
  ['/name', 'f-name'],
  ['/labels', 'f-labels-0'],
]

export function EditHostDialog({ host, onClose }: { host: Host; onClose: () => void }) {
  const client = useQueryClient()
  const pairs = Object.entries(host.labels).map(([key, value]) => ({ key, value }))
  const form = useOrderForm({ name: host.name, labels: pairs }, FIELDS, (draft) => (isHostName(draft.name) ? [] : [{ id: 'f-name', words: hostNameWords() }]))
  const { draft, set, errors } = form
  async function send(): Promise<void> {
    const labels = record(draft.labels)
    try {
      await changeHost(host.id, {
        ...(draft.name !== host.name && { name: draft.name }),
        ...(JSON.stringify(labels) !== JSON.stringify(host.labels) && { labels }),
      })
      await client.invalidateQueries({ queryKey: keys.kind('hosts') })
      onClose()
    } catch (error) {
      form.refuse(error)
    }
  }
  return (
    <Dialog keep onClose={onClose} title={t`Edit ${host.name}`}>
      <form noValidate onSubmit={(event) => { event.preventDefault(); form.submit(send) }}>
        <div className="dialog-body stack">
          <Problems items={form.problems} round={form.round} />
          <TextField id="f-name" label={t`Name`} mono value={draft.name} error={errors['f-name']} data-autofocus hint={t`Only here: the machine keeps its own.`} onChange={(name) => { set({ name }); }} />
          <div className="stack" role="group" aria-label={t`Labels`}>
            <Pairs prefix="f-labels" pairs={draft.labels} add={t`Add label`} {...(errors['f-labels-0'] && { errors: { 0: errors['f-labels-0'] } })} onChange={(labels) => { set({ labels }); }} />
          </div>
        </div>
        <DialogFoot onClose={onClose} busy={form.busy} send={t`Save`} />
      </form>
    </Dialog>
  )
}
