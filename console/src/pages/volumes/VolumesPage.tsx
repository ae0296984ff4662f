// The list of volumes: create, clone, change, delete, attach, detach.
import { Link } from '@tanstack/react-router'
import { Link2, Unlink } from 'lucide-react'
import { useState } from 'react'
import { detach } from '../../api/actions'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Volume } from '../../api/types'
import { useProject } from '../../app/project'
import { ageColumn, Dash, nameColumn } from '../../components/cells'
import { CommandLine } from '../../components/Copy'
import { bytes } from '../../components/format'
import { notifyError } from '../../components/notices'
import { Empty } from '../../components/Page'
import { BulkDelete, RowDelete } from '../../components/RowDelete'
import { StateMark } from '../../components/StateMark'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { AttachDialog } from './AttachDialog'
import { CloneButton } from './CloneVolume'
import { CreateVolume } from './CreateVolume'
import { ChangeButton } from './ChangeVolume'
import { ExportVolumeButton } from '../exports/ExportVolume'
import { snapshotCounts } from './snapshots'

const columns = (snapshots: (volume: string) => number): Column<Volume>[] => [
  {
    id: 'state', title: 'State', width: '6rem', narrow: true, sort: (volume) => volume.status.state,
    cell: (volume) => <StateMark state={volume.status.state} title={volume.status.reason} />,
  },
  nameColumn(),
  { id: 'pool', title: 'Pool', width: '6rem', choice: 'shown', sort: (volume) => volume.spec.pool, cell: (volume) => volume.spec.pool },
  {
    id: 'size', title: 'Size', width: '5.5rem', right: true, sort: (volume) => volume.spec.size,
    cell: (volume) => bytes(volume.spec.size),
  },
  {
    id: 'used', title: 'Used', width: '5.5rem', right: true, choice: 'shown', sort: (volume) => volume.status.data?.used ?? 0,
    cell: (volume) => (volume.status.data ? bytes(volume.status.data.used) : <Dash />),
  },
  { id: 'format', title: 'Format', width: '4.5rem', choice: 'shown', sort: (volume) => volume.spec.format, cell: (volume) => volume.spec.format },
  { id: 'image', title: 'Image', width: '7rem', choice: 'shown', sort: (volume) => volume.spec.image ?? '', cell: (volume) => volume.spec.image ?? <Dash /> },
  {
    id: 'attached', title: 'Attached to', width: '7rem', choice: 'shown', sort: (volume) => volume.status.attachment?.vm ?? '',
    cell: (volume) => <AttachedTo volume={volume} />,
  },
  {
    id: 'snapshots', title: 'Snapshots', width: '6rem', right: true, choice: 'shown', sort: (volume) => snapshots(volume.meta.name),
    cell: (volume) => snapshots(volume.meta.name) || <Dash />,
  },
  { id: 'node', title: 'Node', width: '6rem', choice: 'hidden', cell: (volume) => volume.status.location?.node ?? <Dash /> },
  ageColumn(),
  { id: 'actions', title: '', width: '10rem', narrow: true, right: true, cell: (volume) => <Actions volume={volume} /> },
]

function AttachedTo({ volume }: { volume: Volume }) {
  const { vm, leaving } = volume.status.attachment ?? {}
  if (!vm) return <Dash />
  return (
    <Link to="/p/$project/vms/$name" params={{ project: volume.meta.project ?? 'default', name: vm }} className="link">
      {vm}
      {leaving && <span className="text-dim"> (leaving)</span>}
    </Link>
  )
}

function Actions({ volume }: { volume: Volume }) {
  const [attaching, setAttaching] = useState(false)
  const { name } = volume.meta
  const project = volume.meta.project ?? 'default'
  const vm = volume.status.attachment?.vm
  const button = 'btn btn-quiet btn-icon h-7 w-7'
  const away = (from: string) => {
    detach(project, from, name).catch((error: unknown) => notifyError(`Cannot detach ${name} from ${from}`, error))
  }
  return (
    <span className="flex justify-end">
      {vm ? (
        <button type="button" className={button} aria-label={`Detach ${name} from ${vm}`} title={`Detach from ${vm}`} onClick={() => away(vm)}>
          <Unlink size={14} aria-hidden="true" />
        </button>
      ) : (
        <button type="button" className={button} aria-label={`Attach ${name}`} title="Attach" disabled={volume.status.state !== 'ready'} onClick={() => setAttaching(true)}>
          <Link2 size={14} aria-hidden="true" />
        </button>
      )}
      <CloneButton volume={volume} />
      <ChangeButton volume={volume} />
      <ExportVolumeButton volume={volume} />
      <RowDelete target={refOf('volume', volume)} />
      {attaching && <AttachDialog volume={volume} onClose={() => setAttaching(false)} />}
    </span>
  )
}

export function VolumesPage() {
  const project = useProject()
  const [creating, setCreating] = useState(false)
  const snapshots = useList('snapshot', project).data?.items ?? []
  const create = (
    <button type="button" className="btn btn-primary" onClick={() => setCreating(true)}>
      Create a volume
    </button>
  )
  return (
    <>
      <ListPage
        title="Volumes" id="volumes" query={useList('volume', project)} columns={columns(snapshotCounts(snapshots))} actions={create}
        texts={(volume) => [volume.status.state, volume.spec.pool, volume.spec.image ?? '', volume.status.attachment?.vm ?? '']}
        signature={(volume) => [volume.status.state, volume.status.attachment?.vm, volume.status.attachment?.leaving, volume.spec.size].join('|')}
        empty={<Empty text="No volumes yet. Launching a VM makes one for its disk." action={create} command={<CommandLine text="novacron volume create data --size 20GiB" />} />}
        bulk={(rows, clear) => <BulkDelete targets={rows.map((row) => refOf('volume', row))} onDone={clear} />}
      />
      {creating && <CreateVolume project={project} onClose={() => setCreating(false)} />}
    </>
  )
}
