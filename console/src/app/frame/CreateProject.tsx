// The form for a new project.
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { createProject } from '../../api/actions'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'

export function CreateProject({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate()
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const submit = async () => {
    await createProject(name, description)
    await navigate({ to: '/p/$project', params: { project: name } })
  }
  return (
    <FormDialog title="Create a project" submit="Create" onSubmit={submit} onClose={onClose} disabled={!name}>
      {(problem) => (
        <>
          <TextField
            label="Name" data-autofocus="" value={name} error={errorAt(problem, 'meta.name')} hint="Names of VMs, volumes and images count within it"
            onChange={(event) => setName(event.target.value)}
          />
          <TextField
            label="Description (optional)" value={description} error={errorAt(problem, 'spec.description')}
            onChange={(event) => setDescription(event.target.value)}
          />
        </>
      )}
    </FormDialog>
  )
}
