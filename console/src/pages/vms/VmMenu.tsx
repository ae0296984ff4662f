// What can be done with one VM, as a menu.
import { Camera, Ellipsis, Pause, Play, Power, RotateCcw, Square, Tag, Trash2, Zap } from 'lucide-react'
import { useState } from 'react'
import { refOf } from '../../api/refs'
import type { Vm } from '../../api/types'
import { DeleteDialog } from '../../components/DeleteDialog'
import { Menu } from '../../components/Menu'
import { verbsFor } from '../../components/state'
import { TakeSnapshot } from '../vm/snapshots/TakeSnapshot'
import { runVerb } from './actions'
import { LabelDialog } from './LabelDialog'

export function VmMenu({ vm, className, onDeleted }: { vm: Vm; className?: string; onDeleted?: () => void }) {
  const [over, setOver] = useState<'snapshot' | 'label' | 'delete'>()
  const close = () => setOver(undefined)
  const verbs = verbsFor(vm)
  const run = (verb: Parameters<typeof runVerb>[1], force?: boolean) => () =>
    void runVerb([vm], verb, force ? { force: true, timeout: 0 } : undefined)
  const size = 14
  return (
    <>
      <Menu
        label={`More for ${vm.meta.name}`} className={className} button={<Ellipsis size={16} aria-hidden="true" />}
        items={[
          { label: 'Start', icon: <Play size={size} />, onSelect: run('start'), disabled: !verbs.start },
          { label: 'Stop', icon: <Square size={size} />, onSelect: run('stop'), disabled: !verbs.stop },
          { label: 'Restart', icon: <RotateCcw size={size} />, onSelect: run('restart'), disabled: !verbs.restart },
          { label: 'Pause', icon: <Pause size={size} />, onSelect: run('pause'), disabled: !verbs.pause },
          { label: 'Resume', icon: <Play size={size} />, onSelect: run('resume'), disabled: !verbs.resume },
          { label: 'Reset', icon: <Zap size={size} />, onSelect: run('reset'), disabled: !verbs.restart },
          { label: 'Cut the power', icon: <Power size={size} />, onSelect: run('stop', true), disabled: !verbs.stop },
          { label: 'Take a snapshot …', icon: <Camera size={size} />, onSelect: () => setOver('snapshot') },
          { label: 'Label …', icon: <Tag size={size} />, onSelect: () => setOver('label') },
          { label: 'Delete …', icon: <Trash2 size={size} />, onSelect: () => setOver('delete'), danger: true },
        ]}
      />
      {over === 'snapshot' && <TakeSnapshot vms={[vm]} onClose={close} />}
      {over === 'label' && <LabelDialog vms={[vm]} onClose={close} />}
      {over === 'delete' && <DeleteDialog targets={[refOf('vm', vm)]} running={verbs.stop ? [vm.meta.name] : []} onClose={close} onDone={onDeleted} />}
    </>
  )
}
