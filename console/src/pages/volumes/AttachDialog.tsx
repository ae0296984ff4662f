// Chooses the VM that a volume is attached to.
import { useState } from 'react'
import { attach } from '../../api/actions'
import { useList } from '../../api/queries'
import type { DiskBus, Volume } from '../../api/types'
import { SelectField } from '../../components/Field'
import { FormDialog } from '../../components/FormDialog'
import { BusField } from './BusField'

export function AttachDialog({ volume, onClose }: { volume: Volume; onClose: () => void }) {
  const project = volume.meta.project ?? 'default'
  const vms = useList('vm', project).data?.items ?? []
  const node = volume.status.location?.node
  const near = vms.filter((vm) => vm.status.state !== 'deleting' && vm.status.placement?.node === node)
  const [chosen, setChosen] = useState('')
  const [bus, setBus] = useState<DiskBus | ''>('')
  const vm = chosen || (near[0]?.meta.name ?? '')
  return (
    <FormDialog
      title={`Attach volume ${volume.meta.name}`} submit="Attach" disabled={!vm} onClose={onClose}
      onSubmit={() => attach(project, vm, volume.meta.name, bus || undefined)}
    >
      {() =>
        near.length === 0 ? (
          <p>There is no VM on node {node}, where the volume lies.</p>
        ) : (
          <>
            <SelectField
              label="VM" data-autofocus="" value={vm} hint="A guest that runs gets the disk at once, but for SATA"
              onChange={(event) => setChosen(event.target.value)} options={near.map((each) => ({ value: each.meta.name, label: each.meta.name }))}
            />
            <BusField vm={near.find((each) => each.meta.name === vm)} value={bus} onChange={setBus} />
          </>
        )
      }
    </FormDialog>
  )
}
