// The form for a new snapshot, of one VM or of many at once.
import { useState } from 'react'
import { createSnapshot } from '../../../api/actions'
import { forEachOf } from '../../../api/batch'
import { useList } from '../../../api/queries'
import type { Vm } from '../../../api/types'
import { CommandLine } from '../../../components/Copy'
import { TextField } from '../../../components/Field'
import { count } from '../../../components/format'
import { errorAt, FormDialog } from '../../../components/FormDialog'
import { notify, notifyError } from '../../../components/notices'
import { ownName, proposeSnapshotName, snapshotsOf } from './names'

export function TakeSnapshot({ vms, onClose }: { vms: Vm[]; onClose: () => void }) {
  const [first] = vms
  const known = useList('snapshot', first?.meta.project ?? 'default').data?.items ?? []
  const [opened] = useState(() => new Date())
  const [typed, setTyped] = useState('')
  const name = typed.trim() || proposeSnapshotName(opened, vms.flatMap((vm) => snapshotsOf(vm, known).map(ownName)))
  const running = vms.filter((vm) => vm.status.state === 'running').length
  const what = vms.length === 1 ? (first?.meta.name ?? '') : count(vms.length, 'VM')

  const submit = async () => {
    const failures = await forEachOf(vms, (vm) => createSnapshot(vm, name))
    const [failure] = failures
    if (failure && failures.length === vms.length) throw failure.error
    if (failure) notifyError(`No snapshot of ${failure.item.meta.name}${failures.length > 1 ? ` and ${failures.length - 1} more` : ''}`, failure.error)
    else if (vms.length > 1) notify({ tone: 'ok', title: `Taking snapshots of ${what}` })
  }
  return (
    <FormDialog title={`Take a snapshot of ${what}`} submit="Take" onSubmit={submit} onClose={onClose}>
      {(problem) => (
        <>
          <TextField
            label="Name" data-autofocus="" value={typed} placeholder={name} error={errorAt(problem, 'meta.name')}
            hint="a-z, 0-9 and -" onChange={(event) => setTyped(event.target.value)}
          />
          <p className="text-dim">
            All disks of {what} are kept as they are now; the memory is not.
            {running > 0 && ' The file systems of a guest that runs are frozen for the moment if its agent answers; else it finds them as after a power cut.'}
          </p>
          {vms.length === 1 && <CommandLine text={`novacron snapshot create ${what} ${name}`} />}
        </>
      )}
    </FormDialog>
  )
}
