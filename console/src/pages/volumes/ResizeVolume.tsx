// Makes a volume larger, also while its VM runs.
import { Expand } from 'lucide-react'
import { useState } from 'react'
import { resizeVolume } from '../../api/actions'
import { Problem } from '../../api/client'
import type { Volume } from '../../api/types'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { bytesFlag, parseBytes } from '../../components/format'

export function ResizeButton({ volume }: { volume: Volume }) {
  const [open, setOpen] = useState(false)
  const { name } = volume.meta
  return (
    <>
      <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={`Resize ${name}`} title="Resize" onClick={() => setOpen(true)}>
        <Expand size={14} aria-hidden="true" />
      </button>
      {open && <ResizeDialog volume={volume} onClose={() => setOpen(false)} />}
    </>
  )
}

function ResizeDialog({ volume, onClose }: { volume: Volume; onClose: () => void }) {
  const now = bytesFlag(volume.spec.size)
  const [size, setSize] = useState(now)
  const submit = async () => {
    const count = parseBytes(size, 'GiB')
    if (count === undefined)
      throw new Problem({ status: 0, code: 'invalid', message: `“${size}” is not a size`, field: 'spec.size', hint: 'write a number with a unit, such as 20GiB' })
    await resizeVolume(volume, count)
  }
  return (
    <FormDialog title={`Resize volume ${volume.meta.name}`} submit="Resize" onSubmit={submit} onClose={onClose} disabled={!size || size === now}>
      {(problem) => (
        <TextField
          label="Size" data-autofocus="" value={size} error={errorAt(problem, 'spec.size')}
          hint={`Now ${now}; larger only. A running guest sees it at once and enlarges its file system itself.`}
          onChange={(e) => setSize(e.target.value)}
        />
      )}
    </FormDialog>
  )
}
