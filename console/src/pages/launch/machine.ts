// An image of a whole VM: its machine fills the form, where it can still be changed. Pure.
import type { Image } from '../../api/types'
import { bytes, bytesFlag } from '../../components/format'
import type { LaunchForm } from './draft'

/** What choosing the image changes in the form; its disks have their sizes. */
export function machineFields(image: Image | undefined): Partial<LaunchForm> {
  const machine = image?.status.content?.machine
  if (!machine) return { whole: false }
  return {
    whole: true, size: 'custom', cpus: String(machine.cpus), memory: bytesFlag(machine.memory), disk: '',
    preset: machine.preset, firmware: machine.firmware, tpm: machine.tpm, restart: machine.restart,
  }
}

/** `root 10 GiB, data 1 GiB`. */
export function machineDisks(image: Image | undefined): string {
  const disks = image?.status.content?.machine?.disks ?? []
  return disks.map((disk) => `${disk.name} ${bytes(disk.size)}`).join(', ') || 'none'
}
