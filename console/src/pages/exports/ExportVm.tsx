// Saves a whole VM, or one of its snapshots, as one file that can be uploaded as an image.
import { exportPath } from '../../api/actions'
import { objectPath } from '../../api/kinds'
import { useList } from '../../api/queries'
import type { Vm } from '../../api/types'
import { snapshotsOf } from '../vm/snapshots/names'
import { ExportDialog } from './ExportDialog'
import { moments } from './moments'

export function ExportVm({ vm, onClose }: { vm: Vm; onClose: () => void }) {
  const project = vm.meta.project ?? 'default'
  const snapshots = useList('snapshot', project).data?.items ?? []
  const { name } = vm.meta
  return (
    <ExportDialog
      title={`Export VM ${name}`} moments={moments(vm, snapshotsOf(vm, snapshots))} holder={name} onClose={onClose}
      path={(snapshot) => exportPath(objectPath('vm', project, name), { snapshot })}
      command={(snapshot) => `novacron export ${name} ${name}.tar${snapshot ? ` --snapshot ${snapshot}` : ''}`}
    >
      <p className="text-dim">The file holds all disks and what the VM is like, without passwords. Upload it as an image to make VMs of it.</p>
    </ExportDialog>
  )
}
