// What can be done with one VM, as a menu.
import { Camera, Copy, Download, Ellipsis, Shield, ShieldOff, Tag, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { refOf } from '../../api/refs'
import type { Vm } from '../../api/types'
import { DeleteDialog } from '../../components/DeleteDialog'
import { Menu } from '../../components/Menu'
import { verbsFor } from '../../components/state'
import { ExportVm } from '../exports/ExportVm'
import { TakeSnapshot } from '../vm/snapshots/TakeSnapshot'
import { protect } from './actions'
import { CloneVm } from './CloneVm'
import { HarshDialog, type Harsh } from './HarshDialog'
import { LabelDialog } from './LabelDialog'
import { powerItems } from './powerItems'

interface Props {
  vm: Vm
  className?: string
  /** Without the verbs of power, which have a button of their own. */
  rest?: boolean
  onDeleted?: () => void
}

export function VmMenu({ vm, className, rest, onDeleted }: Props) {
  const [over, setOver] = useState<'snapshot' | 'clone' | 'label' | 'export' | 'delete' | Harsh>()
  const close = () => setOver(undefined)
  const verbs = verbsFor(vm)
  const size = 14
  return (
    <>
      <Menu
        label={`More for ${vm.meta.name}`} className={className} button={<Ellipsis size={16} aria-hidden="true" />}
        items={[
          ...(rest ? [] : powerItems(vm, setOver)),
          { label: 'Take a snapshot …', icon: <Camera size={size} />, onSelect: () => setOver('snapshot') },
          { label: 'Clone …', icon: <Copy size={size} />, onSelect: () => setOver('clone') },
          { label: 'Label …', icon: <Tag size={size} />, onSelect: () => setOver('label') },
          { label: vm.spec.protected ? 'Lift the protection' : 'Protect', icon: vm.spec.protected ? <ShieldOff size={size} /> : <Shield size={size} />, onSelect: () => void protect(vm, !vm.spec.protected) },
          { label: 'Export …', icon: <Download size={size} />, onSelect: () => setOver('export') },
          { label: 'Delete …', icon: <Trash2 size={size} />, onSelect: () => setOver('delete'), danger: true },
        ]}
      />
      {over === 'snapshot' && <TakeSnapshot vms={[vm]} onClose={close} />}
      {over === 'clone' && <CloneVm vm={vm} onClose={close} />}
      {over === 'label' && <LabelDialog vms={[vm]} onClose={close} />}
      {over === 'export' && <ExportVm vm={vm} onClose={close} />}
      {(over === 'reset' || over === 'cut') && <HarshDialog vm={vm} verb={over} onClose={close} />}
      {over === 'delete' && (
        <DeleteDialog
          targets={[refOf('vm', vm)]} running={verbs.stop ? [vm.meta.name] : []} onClose={close} onDone={onDeleted}
          unprotect={vm.spec.protected}
        />
      )}
    </>
  )
}
