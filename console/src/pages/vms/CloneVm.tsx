// Makes a VM like another one, from its disks as they are or as they were at a snapshot.
import { useState } from 'react'
import { cloneVm } from '../../api/actions'
import { useList } from '../../api/queries'
import type { Vm } from '../../api/types'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { readyOf } from '../vm/snapshots/names'

export function CloneVm({ vm, onClose }: { vm: Vm; onClose: () => void }) {
  const snapshots = readyOf(vm.meta.name, useList('snapshot', vm.meta.project ?? 'default').data?.items ?? [])
  const off = vm.spec.run === 'stopped' && ['stopped', 'failed'].includes(vm.status.state)
  const [name, setName] = useState('')
  const [snapshot, setSnapshot] = useState('')
  const [start, setStart] = useState(false)
  const ports = (vm.spec.nics ?? []).flatMap((nic) => nic.ports)
  return (
    <FormDialog
      title={`Clone ${vm.meta.name}`} submit="Clone" disabled={!name} onClose={onClose}
      onSubmit={() => cloneVm(vm, name, snapshot || undefined, start)}
    >
      {(problem) => (
        <>
          <TextField
            label="Name" data-autofocus="" value={name} error={errorAt(problem, 'name')} onChange={(e) => setName(e.target.value)}
            hint={ports.length > 0 ? `Ports of the host stay with ${vm.meta.name}` : undefined}
          />
          <SelectField
            label="Disks" value={snapshot} error={errorAt(problem, 'snapshot')} onChange={(e) => setSnapshot(e.target.value)}
            hint={off || snapshot ? undefined : `${vm.meta.name} is not stopped: a snapshot is taken, and goes afterwards`}
            options={[{ value: '', label: 'As they are now' }, ...snapshots.map((each) => ({ value: each, label: `As at snapshot ${each}` }))]}
          />
          <label className="flex items-center gap-2">
            <input type="checkbox" className="size-4 accent-accent" checked={start} onChange={(e) => setStart(e.target.checked)} /> Start it
          </label>
        </>
      )}
    </FormDialog>
  )
}
