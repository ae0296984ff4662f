// Sets and takes away labels of one VM or of many.
import { useState } from 'react'
import { setLabels } from '../../api/actions'
import { forEachOf } from '../../api/batch'
import { Problem } from '../../api/client'
import type { Vm } from '../../api/types'
import { TextField } from '../../components/Field'
import { count } from '../../components/format'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { notify, notifyError } from '../../components/notices'
import { readLabels } from './labels'

export function LabelDialog({ vms, onClose }: { vms: Vm[]; onClose: () => void }) {
  const [text, setText] = useState('')
  const what = vms.length === 1 ? (vms[0]?.meta.name ?? '') : count(vms.length, 'VM')
  const save = async () => {
    const labels = readLabels(text)
    if (typeof labels === 'string') throw new Problem({ status: 0, code: 'invalid', message: labels, field: 'meta.labels' })
    const failures = await forEachOf(vms, (vm) => setLabels('vm', vm.meta.project ?? '', vm.meta.name, labels))
    const [first] = failures
    if (first && failures.length === vms.length) throw first.error
    if (first) notifyError(`Cannot label ${first.item.meta.name}`, first.error)
    else notify({ tone: 'ok', title: `Labelled ${what}` })
  }
  return (
    <FormDialog title={`Label ${what}`} submit="Save" onSubmit={save} onClose={onClose} disabled={!text.trim()}>
      {(problem) => (
        <TextField
          label="Labels" data-autofocus="" placeholder="tier=web stage=test old-" value={text} error={errorAt(problem, 'meta.labels')}
          hint="key=value sets a label, key- takes it away" onChange={(event) => setText(event.target.value)}
        />
      )}
    </FormDialog>
  )
}
