// The form for a new network.
import { useState } from 'react'
import { createNetwork } from '../../api/actions'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'

const KINDS = [
  { value: 'user', label: 'user: outbound, and ports forwarded to the host' },
  { value: 'bridge', label: 'bridge: neighbours of the LAN, needs root' },
]

export function CreateNetwork({ project, onClose }: { project: string; onClose: () => void }) {
  const [name, setName] = useState('')
  const [kind, setKind] = useState('user')
  const [bridge, setBridge] = useState('')
  const bridged = kind === 'bridge'
  const submit = () => createNetwork(project, name, bridged ? bridge.trim() : undefined)
  return (
    <FormDialog title="Create a network" submit="Create" onSubmit={submit} onClose={onClose} disabled={!name || (bridged && !bridge.trim())}>
      {(problem) => (
        <>
          <TextField label="Name" data-autofocus="" value={name} error={errorAt(problem, 'meta.name')} onChange={(event) => setName(event.target.value)} />
          <SelectField label="Kind" value={kind} options={KINDS} error={errorAt(problem, 'spec.kind')} onChange={(event) => setKind(event.target.value)} />
          {bridged && (
            <TextField
              label="Bridge" value={bridge} placeholder="br0" error={errorAt(problem, 'spec.bridge')}
              hint="An existing Linux bridge of the nodes; addresses come from the LAN’s DHCP" onChange={(event) => setBridge(event.target.value)}
            />
          )}
        </>
      )}
    </FormDialog>
  )
}
