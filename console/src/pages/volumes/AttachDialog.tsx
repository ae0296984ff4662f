// Chooses the VM that a volume is attached to.
import { useState } from 'react'
import { attach } from '../../api/actions'
import { useList } from '../../api/queries'
import type { Volume } from '../../api/types'
import { SelectField } from '../../components/Field'
import { FormDialog } from '../../components/FormDialog'

export function AttachDialog({ volume, onClose }: { volume: Volume; onClose: () => void }) {
  const project = volume.meta.project ?? 'default'
  const vms = useList('vm', project).data?.items ?? []
  const node = volume.status.location?.node
  const stopped = vms.filter((vm) => ['stopped', 'failed'].includes(vm.status.state) && vm.status.placement?.node === node)
  const [chosen, setChosen] = useState('')
  const vm = chosen || (stopped[0]?.meta.name ?? '')
  return (
    <FormDialog
      title={`Attach volume ${volume.meta.name}`} submit="Attach" disabled={!vm} onClose={onClose}
      onSubmit={() => attach(project, vm, volume.meta.name)}
    >
      {() =>
        stopped.length === 0 ? (
          <p>No VM on node {node} is stopped. Stop the VM first: disks are attached while it is off.</p>
        ) : (
          <SelectField
            label="VM" data-autofocus="" value={vm} hint={`Stopped VMs on node ${node ?? "?"}, where the volume lies`} onChange={(event) => setChosen(event.target.value)}
            options={stopped.map((each) => ({ value: each.meta.name, label: each.meta.name }))}
          />
        )
      }
    </FormDialog>
  )
}
