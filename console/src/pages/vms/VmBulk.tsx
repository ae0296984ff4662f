// What can be done with many VMs at once.
import { Camera, Play, RotateCcw, Square, Tag, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { refOf } from '../../api/refs'
import type { Vm } from '../../api/types'
import { DeleteDialog } from '../../components/DeleteDialog'
import { verbsFor } from '../../components/state'
import { TakeSnapshot } from '../vm/snapshots/TakeSnapshot'
import { runVerb } from './actions'
import { LabelDialog } from './LabelDialog'

type Over = 'snapshot' | 'label' | 'delete' | undefined

export function VmBulk({ vms, onDone }: { vms: Vm[]; onDone: () => void }) {
  const [over, setOver] = useState<Over>()
  const can = (verb: 'start' | 'stop' | 'restart') => vms.filter((vm) => verbsFor(vm)[verb])
  const free = vms.filter((vm) => !vm.spec.protected)
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
      <button type="button" className="btn" onClick={() => setOver('snapshot')}>
        <Camera size={14} aria-hidden="true" /> Snapshot
      </button>
      <button type="button" className="btn" onClick={() => setOver('label')}>
        <Tag size={14} aria-hidden="true" /> Label
      </button>
      <button type="button" className="btn btn-danger" disabled={free.length === 0} title={free.length === 0 ? 'All of them are protected' : undefined} onClick={() => setOver('delete')}>
        <Trash2 size={14} aria-hidden="true" /> Delete
      </button>
      {over === 'snapshot' && <TakeSnapshot vms={vms} onClose={() => setOver(undefined)} />}
      {over === 'label' && <LabelDialog vms={vms} onClose={() => setOver(undefined)} />}
      {over === 'delete' && (
        <DeleteDialog
          targets={free.map((vm) => refOf('vm', vm))} running={can('stop').filter((vm) => !vm.spec.protected).map((vm) => vm.meta.name)}
          kept={vms.filter((vm) => vm.spec.protected).map((vm) => vm.meta.name)}
          onClose={() => setOver(undefined)} onDone={onDone}
        />
      )}
    </>
  )
}
