// What of a VM or a volume can be exported: what it holds now while no guest writes it, and its snapshots. Pure.
import type { Snapshot, Vm } from '../../api/types'
import { ownName, takenAt } from '../vm/snapshots/names'

export interface Moment {
  label: string
  /** `VM.SNAPSHOT`; absent: now. */
  snapshot?: string
}

/** `vm` is the one that may be writing; the newest snapshot comes first. */
export function moments(vm: Vm | undefined, snapshots: readonly Snapshot[]): Moment[] {
  const rests = !vm || ['stopped', 'failed', 'pending'].includes(vm.status.state)
  const ready = snapshots.filter((each) => each.status.state === 'ready')
  const newest = [...ready].sort((a, b) => takenAt(b).localeCompare(takenAt(a)))
  const past = newest.map((each) => ({ label: `Snapshot ${ownName(each)}`, snapshot: each.meta.name }))
  return rests ? [{ label: 'Now' }, ...past] : past
}
