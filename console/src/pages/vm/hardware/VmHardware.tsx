// What a VM is made of, part by part, each to be changed in place.
import type { Vm } from '../../../api/types'
import { Disks } from './Disks'
import { Nics } from './Nics'
import { Restart } from './Restart'
import { Size } from './Size'

export function VmHardware({ vm }: { vm: Vm }) {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Size vm={vm} />
      <Restart vm={vm} />
      <Disks vm={vm} />
      <Nics vm={vm} />
    </div>
  )
}
