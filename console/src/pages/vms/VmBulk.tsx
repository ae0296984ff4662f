// What can be done with many VMs at once.
import { Play, RotateCcw, Square, Tag, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { setLabels } from '../../api/actions'
import { forEachOf } from '../../api/batch'
import { refOf } from '../../api/refs'
import type { Vm } from '../../api/types'
import { DeleteDialog } from '../../components/DeleteDialog'
import { Dialog } from '../../components/Dialog'
import { TextField } from '../../components/Field'
import { notify, notifyError } from '../../components/notices'
import { verbsFor } from '../../components/state'
import { runVerb } from './actions'
import { readLabels } from './labels'

type Over = 'label' | 'delete' | undefined

export function VmBulk({ vms, onDone }: { vms: Vm[]; onDone: () => void }) {
  const [over, setOver] = useState<Over>()
  const can = (verb: 'start' | 'stop' | 'restart') => vms.filter((vm) => verbsFor(vm)[verb])
  const run = (verb: 'start' | 'stop' | 'restart') => () => void runVerb(can(verb), verb)
  return (
    <>
      <button type="button" className="btn" disabled={can('start').length === 0} onClick={run('start')}>
        <Play size={14} aria-hidden="true" /> Start
      </button>
      <button type="button" className="btn" disabled={can('stop').length === 0} onClick={run('stop')}>
        <Square size={13} aria-hidden="true" /> Stop
      </button>
      <button type="button" className="btn" disabled={can('restart').length === 0} onClick={run('restart')}>
        <RotateCcw size={14} aria-hidden="true" /> Restart
      </button>
      <button type="button" className="btn" onClick={() => setOver('label')}>
        <Tag size={14} aria-hidden="true" /> Label
      </button>
      <button type="button" className="btn btn-danger" onClick={() => setOver('delete')}>
        <Trash2 size={14} aria-hidden="true" /> Delete
      </button>
      {over === 'label' && <LabelDialog vms={vms} onClose={() => setOver(undefined)} />}
      {over === 'delete' && (
        <DeleteDialog
          targets={vms.map((vm) => refOf('vm', vm))} running={can('stop').map((vm) => vm.meta.name)}
          onClose={() => setOver(undefined)} onDone={onDone}
        />
      )}
    </>
  )
}

function LabelDialog({ vms, onClose }: { vms: Vm[]; onClose: () => void }) {
  const [text, setText] = useState('')
  const [error, setError] = useState<string>()
  const save = async () => {
    const labels = readLabels(text)
    if (typeof labels === 'string') {
      setError(labels)
      return
    }
    const failures = await forEachOf(vms, (vm) => setLabels('vm', vm.meta.project ?? '', vm.meta.name, labels))
    const [first] = failures
    if (first) notifyError(`Cannot label ${first.item.meta.name}`, first.error)
    else notify({ tone: 'ok', title: `Labelled ${vms.length} VMs` })
    onClose()
  }
  return (
    <Dialog
      title={`Label ${vms.length} VMs`} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" form="label-form" className="btn btn-primary">
            Save
          </button>
        </>
      }
    >
      <form
        id="label-form"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <TextField
          label="Labels" data-autofocus="" placeholder="tier=web stage=test old-" value={text} error={error}
          hint="key=value sets a label, key- takes it away" onChange={(event) => setText(event.target.value)}
        />
      </form>
    </Dialog>
  )
}
