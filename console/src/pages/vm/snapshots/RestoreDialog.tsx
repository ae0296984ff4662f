// Asks before a VM's disks go back to a snapshot: says what is lost, and that a VM which runs is stopped for it.
import { useState } from 'react'
import { restoreVm } from '../../../api/actions'
import { asProblem, type Problem } from '../../../api/client'
import type { Snapshot, Vm } from '../../../api/types'
import { CommandLine } from '../../../components/Copy'
import { Dialog } from '../../../components/Dialog'
import { dateTime, span } from '../../../components/format'
import { useNow } from '../../../components/hooks'
import { ProblemBox } from '../../../components/Problem'
import { verbsFor } from '../../../components/state'
import { ownName, takenAt } from './names'

interface Props {
  vm: Vm
  snapshot: Snapshot
  onClose: () => void
}

export function RestoreDialog({ vm, snapshot, onClose }: Props) {
  const up = verbsFor(vm).stop
  const [stop, setStop] = useState(false)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const name = ownName(snapshot)
  const go = () => {
    setBusy(true)
    setProblem(undefined)
    restoreVm(vm, name, stop).then(onClose, (error: unknown) => {
      setProblem(asProblem(error))
      setBusy(false)
    })
  }
  return (
    <Dialog
      title={`Restore ${vm.meta.name} to ${name}?`} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" data-autofocus="" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="btn btn-danger" disabled={busy || (up && !stop)} onClick={go}>
            {up ? 'Stop and restore' : 'Restore'}
          </button>
        </>
      }
    >
      <div className="space-y-3">
        {problem && <ProblemBox error={problem} compact />}
        <Loss vm={vm} snapshot={snapshot} />
        {up && <Tick checked={stop} onChange={setStop} text={`${vm.meta.name} is ${vm.status.state}: stop it first, and start it again afterwards`} />}
        <CommandLine text={`novacron snapshot restore ${vm.meta.name} ${name}${up ? ' --stop' : ''}`} stacked />
      </div>
    </Dialog>
  )
}

function Loss({ vm, snapshot }: { vm: Vm; snapshot: Snapshot }) {
  const now = useNow()
  const volumes = snapshot.status.data?.volumes ?? []
  const taken = takenAt(snapshot)
  const crash = snapshot.status.data?.consistency === 'crash'
  return (
    <>
      <p>
        The disks of {vm.meta.name} go back to {dateTime(taken)}. <strong>What was written in the {span(now - Date.parse(taken))} since then is lost.</strong>
      </p>
      <p className="text-dim">
        {volumes.length > 0 && `Goes back: ${volumes.join(', ')}. `}
        {crash && 'It was taken of a guest that was not frozen: its file systems may have to be repaired at the next start. '}
        All snapshots stay, also newer ones. To keep what is there now, take a snapshot first.
      </p>
    </>
  )
}

function Tick({ checked, onChange, text }: { checked: boolean; onChange: (on: boolean) => void; text: string }) {
  return (
    <label className="flex items-start gap-2">
      <input type="checkbox" className="mt-0.5 size-4 accent-accent" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span>{text}</span>
    </label>
  )
}
