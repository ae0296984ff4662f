// Asks before a VM's disks go back to a snapshot: says what is lost, and stops the VM first if it runs.
import { useEffect, useRef, useState } from 'react'
import { restoreVm, vmVerb } from '../../../api/actions'
import { asProblem, type Problem } from '../../../api/client'
import { taskEnd } from '../../../api/taskEnd'
import type { Snapshot, Vm } from '../../../api/types'
import { CommandLine } from '../../../components/Copy'
import { Dialog } from '../../../components/Dialog'
import { dateTime, span } from '../../../components/format'
import { useNow } from '../../../components/hooks'
import { notifyError } from '../../../components/notices'
import { ProblemBox } from '../../../components/Problem'
import { verbsFor } from '../../../components/state'
import { ownName, takenAt } from './names'

interface Props {
  vm: Vm
  snapshot: Snapshot
  onClose: () => void
}

type Step = 'asked' | 'stopping' | 'restoring'

export function RestoreDialog({ vm, snapshot, onClose }: Props) {
  const up = verbsFor(vm).stop
  const [stop, setStop] = useState(false)
  const [startAgain, setStartAgain] = useState(true)
  const { step, problem, go } = useRestore(vm, snapshot, onClose)
  const busy = step !== 'asked'
  const name = ownName(snapshot)
  return (
    <Dialog
      title={`Restore ${vm.meta.name} to ${name}?`} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" data-autofocus="" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="btn btn-danger" disabled={busy || (up && !stop)} onClick={() => void go(up, up && startAgain)}>
            {up ? 'Stop and restore' : 'Restore'}
          </button>
        </>
      }
    >
      <div className="space-y-3">
        {problem && <ProblemBox error={problem} compact />}
        <Loss vm={vm} snapshot={snapshot} />
        {(up || step === 'stopping') && (
          <fieldset className="space-y-2" disabled={busy}>
            <Tick checked={stop} onChange={setStop} text={`${vm.meta.name} is ${vm.status.state}: stop it first`} />
            <Tick checked={startAgain} onChange={setStartAgain} text="Start it again afterwards" />
          </fieldset>
        )}
        {busy && (
          <p role="status" className="text-busy">
            {step === 'stopping' ? `Waiting until ${vm.meta.name} has stopped …` : 'Restoring …'}
          </p>
        )}
        <CommandLine text={`${up ? `novacron stop ${vm.meta.name} && ` : ''}novacron snapshot restore ${vm.meta.name} ${name}`} stacked />
      </div>
    </Dialog>
  )
}

function Loss({ vm, snapshot }: { vm: Vm; snapshot: Snapshot }) {
  const now = useNow()
  const volumes = snapshot.status.data?.volumes ?? []
  const taken = takenAt(snapshot)
  return (
    <>
      <p>
        The disks of {vm.meta.name} go back to {dateTime(taken)}. <strong>What was written in the {span(now - Date.parse(taken))} since then is lost.</strong>
      </p>
      <p className="text-dim">
        {volumes.length > 0 && `Goes back: ${volumes.join(', ')}. `}
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

/** One step after the other; closing the dialog ends it before the next one begins. */
function useRestore(vm: Vm, snapshot: Snapshot, onClose: () => void) {
  const [step, setStep] = useState<Step>('asked')
  const [problem, setProblem] = useState<Problem>()
  const gone = useRef<AbortController>(undefined)
  useEffect(() => {
    const controller = new AbortController()
    gone.current = controller
    return () => controller.abort()
  }, [])

  const go = async (stopFirst: boolean, startAgain: boolean) => {
    const signal = gone.current?.signal
    setProblem(undefined)
    try {
      if (stopFirst) {
        setStep('stopping')
        await taskEnd(await vmVerb(vm, 'stop'), signal)
      }
      setStep('restoring')
      const task = await restoreVm(vm, ownName(snapshot))
      if (startAgain) startAfter(vm, task)
      onClose()
    } catch (error) {
      if (signal?.aborted) return
      setProblem(asProblem(error))
      setStep('asked')
    }
  }
  return { step, problem, go }
}

/** The drawer shows how the restoring goes; the dialog need not stay for it. */
function startAfter(vm: Vm, restore: Parameters<typeof taskEnd>[0]): void {
  taskEnd(restore)
    .then(() => vmVerb(vm, 'start'))
    .catch((error: unknown) => notifyError(`${vm.meta.name} was not started again`, error))
}
