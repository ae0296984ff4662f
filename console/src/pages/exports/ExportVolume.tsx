// Saves what a volume holds, or one of its snapshots, as a disk file.
import { Download } from 'lucide-react'
import { useState } from 'react'
import { exportPath } from '../../api/actions'
import { objectPath } from '../../api/kinds'
import { useList } from '../../api/queries'
import type { Volume } from '../../api/types'
import { SelectField } from '../../components/Field'
import { ExportDialog } from './ExportDialog'
import { moments } from './moments'

export function ExportVolumeButton({ volume }: { volume: Volume }) {
  const [open, setOpen] = useState(false)
  const { name } = volume.meta
  return (
    <>
      <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={`Export ${name}`} title="Export" onClick={() => setOpen(true)}>
        <Download size={14} aria-hidden="true" />
      </button>
      {open && <ExportVolume volume={volume} onClose={() => setOpen(false)} />}
    </>
  )
}

function ExportVolume({ volume, onClose }: { volume: Volume; onClose: () => void }) {
  const project = volume.meta.project ?? 'default'
  const holder = volume.status.attachment?.vm
  const vm = useList('vm', project).data?.items.find((each) => each.meta.name === holder)
  const snapshots = (useList('snapshot', project).data?.items ?? []).filter((each) => each.status.data?.volumes.includes(volume.meta.name))
  const [format, setFormat] = useState('qcow2')
  const { name } = volume.meta
  return (
    <ExportDialog
      title={`Export volume ${name}`} moments={moments(vm, snapshots)} holder={holder} onClose={onClose}
      path={(snapshot) => exportPath(objectPath('volume', project, name), { format, snapshot })}
      command={(snapshot) => `novacron volume export ${name} ${name}.${format}${format === 'raw' ? ' --format raw' : ''}${snapshot ? ` --snapshot ${snapshot}` : ''}`}
    >
      <SelectField
        label="Format" value={format} onChange={(event) => setFormat(event.target.value)}
        options={[{ value: 'qcow2', label: 'qcow2 (small)' }, { value: 'raw', label: 'raw (as long as the disk)' }]}
      />
    </ExportDialog>
  )
}
