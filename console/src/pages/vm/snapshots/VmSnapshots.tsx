// A VM's snapshots as a tree: take one, go back to one, delete one.
import { Camera, CornerDownRight, History } from 'lucide-react'
import { useState } from 'react'
import { useList } from '../../../api/queries'
import { refOf } from '../../../api/refs'
import type { Vm } from '../../../api/types'
import { Age, Labels } from '../../../components/cells'
import { CommandLine } from '../../../components/Copy'
import { bytes, count, dateTime } from '../../../components/format'
import { Empty, Loaded } from '../../../components/Page'
import { RowDelete } from '../../../components/RowDelete'
import { StateMark } from '../../../components/StateMark'
import { ownName, shows, snapshotsOf, takenAt } from './names'
import { RestoreDialog } from './RestoreDialog'
import { Schedule } from './Schedule'
import { TakeSnapshot } from './TakeSnapshot'
import { currentOf, treeOf, type Branch } from './tree'

export function VmSnapshots({ vm }: { vm: Vm }) {
  const query = useList('snapshot', vm.meta.project ?? 'default')
  const [taking, setTaking] = useState(false)
  const take = (
    <button type="button" className="btn btn-primary" onClick={() => setTaking(true)}>
      <Camera size={14} aria-hidden="true" /> Take a snapshot
    </button>
  )
  return (
    <>
      <Schedule vm={vm} />
      <Loaded query={query}>
        {(list) => {
          const snapshots = snapshotsOf(vm, list.items)
          if (snapshots.length === 0)
            return (
              <Empty
                text="No snapshots yet. One keeps the disks as they are now, to go back to."
                action={take} command={<CommandLine text={`novacron snapshot create ${vm.meta.name} before`} />}
              />
            )
          const current = currentOf(vm, snapshots)
          return (
            <>
              <div className="mb-3 flex flex-wrap items-center justify-between gap-2">
                <p className="text-dim">{count(snapshots.length, 'snapshot')}, each below the one that it goes on from</p>
                {take}
              </div>
              <ul className="panel divide-y divide-line" aria-label="Snapshots">
                {treeOf(snapshots).map((branch) => (
                  <Line key={branch.snapshot.meta.uid} vm={vm} branch={branch} current={branch.snapshot.meta.name === current} />
                ))}
              </ul>
            </>
          )
        }}
      </Loaded>
      {taking && <TakeSnapshot vms={[vm]} onClose={() => setTaking(false)} />}
    </>
  )
}

/** Beyond this many a line is set in no further: a long row of them stays readable on a phone, too. */
const DEPTH_SHOWN = 8

function Line({ vm, branch, current }: { vm: Vm; branch: Branch; current: boolean }) {
  const { snapshot, depth, lost } = branch
  const [restoring, setRestoring] = useState(false)
  const name = ownName(snapshot)
  const { state, reason, data } = snapshot.status
  return (
    <li
      className="flex min-h-12 flex-wrap items-center gap-x-4 gap-y-0.5 px-3 py-1.5" data-name={snapshot.meta.name} aria-level={depth + 1}
      style={{ paddingInlineStart: `${0.75 + Math.min(depth, DEPTH_SHOWN) * 1.25}rem` }}
    >
      {depth > 0 && <CornerDownRight size={14} className="-mr-2 shrink-0 text-dim" aria-hidden="true" />}
      <span className="w-20 shrink-0">
        <StateMark state={state} title={reason} />
      </span>
      <span className="min-w-0 flex-1 basis-24">
        <span className="block truncate">
          <span className="font-medium">{name}</span>
          {current && <span className="ml-2 text-dim">the disks go on from here</span>}
        </span>
        {lost && <span className="block truncate text-dim">went on from {lost}, which is gone</span>}
        <Labels labels={snapshot.meta.labels} />
        {reason && <span className="block text-bad">{reason}</span>}
        <span className="block text-dim" data-consistency={data?.consistency ?? ''}>
          {shows(snapshot)}
        </span>
      </span>
      <span className="flex gap-x-4 text-dim max-md:order-last max-md:basis-full" title={(data?.volumes ?? []).join(', ')}>
        <span>
          {data && data.volumes.length > 0 && `${count(data.volumes.length, 'disk')}, `}
          {typeof data?.size === 'number' && `${bytes(data.size)}, `}
          {dateTime(takenAt(snapshot))}
        </span>
        <span className="text-ink md:w-16 md:text-right">
          <Age from={takenAt(snapshot)} />
        </span>
      </span>
      <span className="flex shrink-0">
        <button type="button" className="btn btn-quiet h-7 px-2" aria-label={`Restore ${name}`} disabled={state !== 'ready'} onClick={() => setRestoring(true)}>
          <History size={14} aria-hidden="true" /> <span className="max-sm:hidden">Restore</span>
        </button>
        <RowDelete target={refOf('snapshot', snapshot)} />
      </span>
      {restoring && <RestoreDialog vm={vm} snapshot={snapshot} onClose={() => setRestoring(false)} />}
    </li>
  )
}
