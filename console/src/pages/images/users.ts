// What was made from an image, and keeps it from being deleted. Pure.
import type { Vm, Volume } from '../../api/types'
import { count } from '../../components/format'

export interface Users {
  vms: number
  volumes: number
}

const NOBODY: Users = { vms: 0, volumes: 0 }

/** The users of each image, by its name. */
export function imageUsers(vms: readonly Vm[], volumes: readonly Volume[]): (image: string) => Users {
  const users = new Map<string, Users>()
  const note = (image: string | null | undefined, what: keyof Users) => {
    if (!image) return
    const before = users.get(image) ?? NOBODY
    users.set(image, { ...before, [what]: before[what] + 1 })
  }
  for (const vm of vms) note(vm.spec.image, 'vms')
  for (const volume of volumes) note(volume.spec.image, 'volumes')
  return (image) => users.get(image) ?? NOBODY
}

/** `2 VMs, 1 volume`; empty for nobody. */
export function usersText({ vms, volumes }: Users): string {
  return [vms > 0 && count(vms, 'VM'), volumes > 0 && count(volumes, 'volume')].filter(Boolean).join(', ')
}
