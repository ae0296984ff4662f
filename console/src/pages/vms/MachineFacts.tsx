// What a VM will be like that is made of an image.
import type { Image } from '../../api/types'
import { bytes } from '../../components/format'
import { Facts } from '../../components/Page'
import { machineDisks } from '../launch/machine'

export function MachineFacts({ image }: { image: Image }) {
  const machine = image.status.content?.machine
  if (!machine) return null
  return <Facts facts={[['Exported as', machine.name], ['CPUs', machine.cpus], ['Memory', bytes(machine.memory)], ['Disks', machineDisks(image)]]} />
}
