// What a VM is made of, part by part, each to be changed in place.
import type { Vm } from '../../../api/types'
import { Boot } from './Boot'
import { Cdroms } from './Cdroms'
import { Disks } from './Disks'
import { Machine } from './Machine'
import { Nics } from './Nics'
import { Restart } from './Restart'
import { Size } from './Size'

export function VmHardware({ vm }: { vm: Vm }) {
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Size vm={vm} />
      <Machine vm={vm} />
      <Disks vm={vm} />
      <Nics vm={vm} />
      <Cdroms vm={vm} />
      <Boot vm={vm} />
      <Restart vm={vm} />
    </div>
  )
}
