// What snapshots are called, and which belong to a VM. Pure.
import type { Snapshot, Vm } from '../../../api/types'

/** In the API a snapshot is called `VM.SNAPSHOT`. */
export function ownName(snapshot: Snapshot): string {
  return snapshot.meta.name.slice(snapshot.meta.name.indexOf('.') + 1)
}

export function takenAt(snapshot: Snapshot): string {
  return snapshot.status.data?.taken ?? snapshot.meta.created
}

/** Newest first. */
export function snapshotsOf(vm: Vm, all: readonly Snapshot[]): Snapshot[] {
  const own = all.filter((snapshot) => snapshot.spec.vm === vm.meta.name)
  return own.sort((a, b) => takenAt(b).localeCompare(takenAt(a)) || b.meta.name.localeCompare(a.meta.name))
}

/** Own names of those that can be gone back to or cloned, the newest first. */
export function readyOf(vm: string | undefined, all: readonly Snapshot[]): string[] {
  const ready = all.filter((snapshot) => snapshot.spec.vm === vm && snapshot.status.state === 'ready')
  return ready.sort((a, b) => takenAt(b).localeCompare(takenAt(a))).map(ownName)
}

/** `2026-01-31-0915`, and `-2` after it when that is taken: names that sort by time. */
export function proposeSnapshotName(now: Date, taken: readonly string[]): string {
  const two = (count: number) => String(count).padStart(2, '0')
  const base = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}-${two(now.getHours())}${two(now.getMinutes())}`
  if (!taken.includes(base)) return base
  for (let n = 2; ; n++) if (!taken.includes(`${base}-${n}`)) return `${base}-${n}`
}

/** What a guest finds on its disks after a restore, in one sentence; nothing where it is not known. */
export function shows(snapshot: Snapshot): string | undefined {
  const data = snapshot.status.data
  if (data?.consistency === 'filesystem') return 'File systems are whole'
  if (data?.consistency === 'crash') return `As after a power cut: ${data.crash_reason ?? 'not frozen'}`
  return undefined
}
