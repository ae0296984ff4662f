// The form for a new pool.
import { useState } from 'react'
import { createPool } from '../../api/actions'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'

export function CreatePool({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [path, setPath] = useState('')
  return (
    <FormDialog title="Create a pool" submit="Create" onSubmit={() => createPool(name, path.trim() || undefined)} onClose={onClose} disabled={!name}>
      {(problem) => (
        <>
          <TextField label="Name" data-autofocus="" value={name} error={errorAt(problem, 'meta.name')} onChange={(event) => setName(event.target.value)} />
          <TextField
            label="Directory (optional)" value={path} placeholder="/srv/novacron" error={errorAt(problem, 'spec.path')}
            hint="Absolute, on each node; in the node’s data directory unless said" onChange={(event) => setPath(event.target.value)}
          />
        </>
      )}
    </FormDialog>
  )
}
