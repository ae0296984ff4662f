// How many snapshots cover each volume. Pure.
import type { Snapshot } from '../../api/types'

/** By the volume's name; a snapshot that is not taken yet covers none. */
export function snapshotCounts(snapshots: readonly Snapshot[]): (volume: string) => number {
  const counts = new Map<string, number>()
  for (const volume of snapshots.flatMap((snapshot) => snapshot.status.data?.volumes ?? [])) counts.set(volume, (counts.get(volume) ?? 0) + 1)
  return (volume) => counts.get(volume) ?? 0
}
