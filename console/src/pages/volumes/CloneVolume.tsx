// Copies a volume, as it is or as it was at a snapshot of its VM.
import { Copy } from 'lucide-react'
import { useState } from 'react'
import { createVolume } from '../../api/actions'
import { useList } from '../../api/queries'
import type { Volume } from '../../api/types'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { readyOf } from '../vm/snapshots/names'

export function CloneButton({ volume }: { volume: Volume }) {
  const [open, setOpen] = useState(false)
  const { name } = volume.meta
  return (
    <>
      <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={`Clone ${name}`} title="Clone" onClick={() => setOpen(true)}>
        <Copy size={14} aria-hidden="true" />
      </button>
      {open && <CloneDialog volume={volume} onClose={() => setOpen(false)} />}
    </>
  )
}

function CloneDialog({ volume, onClose }: { volume: Volume; onClose: () => void }) {
  const project = volume.meta.project ?? 'default'
  const vm = volume.status.attachment?.vm
  const snapshots = readyOf(vm, useList('snapshot', project).data?.items ?? [])
  const [name, setName] = useState('')
  const [snapshot, setSnapshot] = useState('')
  const { pool, format } = volume.spec
  const submit = () => {
    const source = { volume: volume.meta.name, ...(snapshot && { snapshot }) }
    return createVolume(project, { meta: { name }, spec: { source, pool, format } })
  }
  return (
    <FormDialog title={`Clone volume ${volume.meta.name}`} submit="Clone" disabled={!name} onSubmit={submit} onClose={onClose}>
      {(problem) => (
        <>
          <TextField label="Name" data-autofocus="" value={name} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          {snapshots.length > 0 && (
            <SelectField
              label="Content" value={snapshot} error={errorAt(problem, 'spec.source')} onChange={(e) => setSnapshot(e.target.value)}
              hint={vm && `As it is now needs ${vm} to be stopped`}
              options={[{ value: '', label: 'As it is now' }, ...snapshots.map((each) => ({ value: each, label: `As at snapshot ${each}` }))]}
            />
          )}
        </>
      )}
    </FormDialog>
  )
}
