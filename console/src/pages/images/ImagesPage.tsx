// The list of images: import from the catalogue or a URL, upload a file, delete.
import { Check, Download, Library, MonitorUp, Upload } from 'lucide-react'
import { useState } from 'react'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Image } from '../../api/types'
import { useProject } from '../../app/project'
import { ageColumn, Dash, nameColumn } from '../../components/cells'
import { CommandLine, CopyText } from '../../components/Copy'
import { bytes } from '../../components/format'
import { Empty } from '../../components/Page'
import { BulkDelete, RowDelete } from '../../components/RowDelete'
import { StateMark } from '../../components/StateMark'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { MakeVm } from '../vms/MakeVm'
import { checkedAgainst } from './checksum'
import { ImportImage } from './ImportImage'
import { ImportPublished } from './ImportPublished'
import { UploadImage } from './UploadImage'
import { imageUsers, usersText, type Users } from './users'

function Checksum({ image }: { image: Image }) {
  const found = image.status.content?.sha256
  if (!found) return <Dash />
  const against = checkedAgainst(image)
  return (
    <span className="inline-flex max-w-full items-center gap-1">
      {against && (
        <span role="img" aria-label={against} title={against} className="shrink-0 text-ok">
          <Check size={14} aria-hidden="true" />
        </span>
      )}
      <CopyText text={found}>
        <span className="font-mono text-[13px]">{found.slice(0, 12)}</span>
      </CopyText>
    </span>
  )
}

function kindOf({ status }: Image): string {
  return status.content?.machine ? 'VM' : (status.content?.kind ?? '')
}

function columns(users: (image: string) => Users): Column<Image>[] {
  const sum = (image: Image) => users(image.meta.name).vms + users(image.meta.name).volumes
  return [
    {
      id: 'state', title: 'State', width: '7.5rem', narrow: true, sort: (image) => image.status.state,
      cell: (image) => <StateMark state={image.status.state} title={image.status.reason} />,
    },
    nameColumn(),
    { id: 'os', title: 'OS', width: '8.5rem', choice: 'shown', sort: (image) => image.spec.os, cell: (image) => image.spec.os || <Dash /> },
    { id: 'kind', title: 'Kind', width: '5rem', choice: 'shown', sort: kindOf, cell: (image) => kindOf(image) || <Dash /> },
    {
      id: 'format', title: 'Format', width: '5.5rem', choice: 'shown', sort: (image) => image.status.content?.format ?? '',
      cell: (image) => image.status.content?.format ?? <Dash />,
    },
    {
      id: 'size', title: 'Size', width: '5.5rem', right: true, sort: (image) => image.status.content?.size ?? 0,
      cell: (image) => (image.status.content?.size ? bytes(image.status.content.size) : <Dash />),
    },
    {
      id: 'disk', title: 'Disk', width: '5.5rem', right: true, choice: 'shown', sort: (image) => image.status.content?.virtual_size ?? 0,
      cell: (image) => (image.status.content?.virtual_size ? bytes(image.status.content.virtual_size) : <Dash />),
    },
    {
      id: 'stored', title: 'Stored', width: '5.5rem', right: true, choice: 'hidden', sort: (image) => image.status.content?.stored ?? 0,
      cell: (image) => (image.status.content?.stored ? bytes(image.status.content.stored) : <Dash />),
    },
    { id: 'checksum', title: 'SHA-256', width: '8.5rem', choice: 'shown', cell: (image) => <Checksum image={image} /> },
    {
      id: 'used', title: 'Used by', width: '10rem', choice: 'shown', sort: sum,
      cell: (image) => usersText(users(image.meta.name)) || <Dash />,
    },
    ageColumn(),
    {
      id: 'actions', title: '', width: '5rem', narrow: true, right: true,
      cell: (image) => (
        <span className="flex justify-end">
          <MakeVmButton image={image} />
          <RowDelete target={refOf('image', image)} />
        </span>
      ),
    },
  ]
}

/** For an image of a whole VM. */
function MakeVmButton({ image }: { image: Image }) {
  const [open, setOpen] = useState(false)
  if (image.status.state !== 'ready' || !image.status.content?.machine) return null
  const label = `Make a VM of ${image.meta.name}`
  return (
    <>
      <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={label} title={label} onClick={() => setOpen(true)}>
        <MonitorUp size={14} aria-hidden="true" />
      </button>
      {open && <MakeVm image={image} onClose={() => setOpen(false)} />}
    </>
  )
}

export function ImagesPage() {
  const project = useProject()
  const [over, setOver] = useState<'import' | 'published' | 'upload'>()
  const vms = useList('vm', project).data?.items ?? []
  const volumes = useList('volume', project).data?.items ?? []
  return (
    <>
      <ListPage
        title="Images" id="images" query={useList('image', project)} columns={columns(imageUsers(vms, volumes))}
        texts={(image) => [image.status.state, image.spec.os, image.status.content?.kind ?? '', image.status.content?.format ?? '']}
        signature={(image) => [image.status.state, image.status.content?.size].join('|')}
        empty={<Empty text="No images yet. A VM starts from one." command={<CommandLine text="novacron image import disk.qcow2 --name debian-12" />} />}
        bulk={(rows, clear) => <BulkDelete targets={rows.map((row) => refOf('image', row))} onDone={clear} />}
        actions={
          <>
            <button type="button" className="btn" onClick={() => setOver('upload')}>
              <Upload size={14} aria-hidden="true" /> Upload
            </button>
            <button type="button" className="btn" onClick={() => setOver('import')}>
              <Download size={14} aria-hidden="true" /> Import from a URL
            </button>
            <button type="button" className="btn btn-primary" onClick={() => setOver('published')}>
              <Library size={14} aria-hidden="true" /> Import from the catalogue
            </button>
          </>
        }
      />
      {over === 'import' && <ImportImage project={project} onClose={() => setOver(undefined)} />}
      {over === 'published' && <ImportPublished project={project} onClose={() => setOver(undefined)} />}
      {over === 'upload' && <UploadImage project={project} onClose={() => setOver(undefined)} />}
    </>
  )
}
