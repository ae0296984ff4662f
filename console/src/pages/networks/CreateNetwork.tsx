// The form for a new network.
import { useState } from 'react'
import { createNetwork } from '../../api/actions'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'

export function CreateNetwork({ project, onClose }: { project: string; onClose: () => void }) {
  const [name, setName] = useState('')
  return (
    <FormDialog title="Create a network" submit="Create" onSubmit={() => createNetwork(project, name)} onClose={onClose} disabled={!name}>
      {(problem) => (
        <TextField
          label="Name" data-autofocus="" value={name} error={errorAt(problem, 'meta.name')} hint="Through the host’s own stack: outbound, and ports forwarded to the host"
          onChange={(event) => setName(event.target.value)}
        />
      )}
    </FormDialog>
  )
}
