// The delete button of a row, with its dialog.
import { Trash2 } from 'lucide-react'
import { useState } from 'react'
import type { ObjectRef } from '../api/types'
import { DeleteDialog } from './DeleteDialog'

export function RowDelete({ target, verb = 'Delete' }: { target: ObjectRef; verb?: string }) {
  const [open, setOpen] = useState(false)
  const label = `${verb} ${target.name}`
  return (
    <>
      <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={label} title={label} onClick={() => setOpen(true)}>
        <Trash2 size={14} aria-hidden="true" />
      </button>
      {open && <DeleteDialog targets={[target]} verb={verb} onClose={() => setOpen(false)} />}
    </>
  )
}

/** Bulk deletion, for the bar that shows while rows are selected. */
export function BulkDelete({ targets, verb = 'Delete', onDone }: { targets: ObjectRef[]; verb?: string; onDone: () => void }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <button type="button" className="btn btn-danger" onClick={() => setOpen(true)}>
        <Trash2 size={14} aria-hidden="true" /> {verb}
      </button>
      {open && <DeleteDialog targets={targets} verb={verb} onClose={() => setOpen(false)} onDone={onDone} />}
    </>
  )
}
