// Snapshots as a tree: each below the one from which the disks had gone on to it. Pure.
import type { Snapshot, Vm } from '../../../api/types'
import { takenAt } from './names'

export interface Branch {
  snapshot: Snapshot
  /** How many of its forebears are there. */
  depth: number
  /** Its parent's own name, where that is gone. */
  lost?: string
}

/** Top to bottom: a parent before its children, brothers by age. `snapshots` are of one VM. */
export function treeOf(snapshots: readonly Snapshot[]): Branch[] {
  const oldest = [...snapshots].sort((a, b) => takenAt(a).localeCompare(takenAt(b)) || a.meta.name.localeCompare(b.meta.name))
  const children = new Map<string, Snapshot[]>()
  const roots: Branch[] = []
  const seen = new Set<string>()
  for (const snapshot of oldest) {
    const { parent } = snapshot.spec
    // Another one may have got the name of a parent that is gone: only an older one is the parent.
    if (parent && seen.has(parent)) children.set(parent, [...(children.get(parent) ?? []), snapshot])
    else roots.push({ snapshot, depth: 0, ...(parent && { lost: parent.slice(parent.indexOf('.') + 1) }) })
    seen.add(snapshot.meta.name)
  }
  const below = (branch: Branch): Branch[] => [
    branch, ...(children.get(branch.snapshot.meta.name) ?? []).flatMap((snapshot) => below({ snapshot, depth: branch.depth + 1 })),
  ]
  return roots.flatMap(below)
}

/** The name of the snapshot from which the disks go on now: the newest, unless they went back to another one since. */
export function currentOf(vm: Vm, snapshots: readonly Snapshot[]): string | undefined {
  const { restore_at: at, restore_from: from } = vm.status.orders
  const newest = snapshots.reduce<Snapshot | undefined>((last, each) => (last && last.meta.created > each.meta.created ? last : each), undefined)
  return newest && (!at || at < newest.meta.created) ? newest.meta.name : (from ?? undefined)
}
