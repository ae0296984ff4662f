// Makes a volume larger and limits what a guest may ask of it, also while its VM runs.
import { SlidersHorizontal } from 'lucide-react'
import { useState } from 'react'
import { patchVolume } from '../../api/actions'
import { Problem } from '../../api/client'
import type { Volume } from '../../api/types'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { bytesFlag, parseBytes } from '../../components/format'

export function ChangeButton({ volume }: { volume: Volume }) {
  const [open, setOpen] = useState(false)
  const { name } = volume.meta
  return (
    <>
      <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={`Change ${name}`} title="Size and limits" onClick={() => setOpen(true)}>
        <SlidersHorizontal size={14} aria-hidden="true" />
      </button>
      {open && <ChangeDialog volume={volume} onClose={() => setOpen(false)} />}
    </>
  )
}

function ChangeDialog({ volume, onClose }: { volume: Volume; onClose: () => void }) {
  const { size: had, limits } = volume.spec
  const now = bytesFlag(had)
  const [size, setSize] = useState(now)
  const [iops, setIops] = useState(limits?.iops ? String(limits.iops) : '')
  const [bandwidth, setBandwidth] = useState(limits?.bandwidth ? bytesFlag(limits.bandwidth) : '')
  const submit = async () => {
    const wanted = parse('spec.size', size, (text) => parseBytes(text, 'GiB'))
    await patchVolume(volume, {
      size: wanted === had ? undefined : (wanted ?? undefined),
      limits: {
        iops: parse('spec.limits.iops', iops, (text) => (/^\d+$/.test(text) ? Number(text) : undefined)),
        bandwidth: parse('spec.limits.bandwidth', bandwidth, (text) => parseBytes(text, 'MiB')),
      },
    })
  }
  return (
    <FormDialog title={`Change volume ${volume.meta.name}`} submit="Save" onSubmit={submit} onClose={onClose} disabled={!size}>
      {(problem) => (
        <>
          <TextField
            label="Size" data-autofocus="" value={size} error={errorAt(problem, 'spec.size')}
            hint={`Now ${now}; larger only. A running guest sees it at once and enlarges its file system itself.`}
            onChange={(e) => setSize(e.target.value)}
          />
          <div className="grid grid-cols-2 gap-3">
            <TextField label="Operations per second" inputMode="numeric" placeholder="unlimited" value={iops} error={errorAt(problem, 'spec.limits.iops')} onChange={(e) => setIops(e.target.value)} />
            <TextField label="Bytes per second" placeholder="unlimited" value={bandwidth} error={errorAt(problem, 'spec.limits.bandwidth')} hint="Such as 100MiB" onChange={(e) => setBandwidth(e.target.value)} />
          </div>
        </>
      )}
    </FormDialog>
  )
}

/** `null` for an empty field, which takes a limit away. */
function parse(field: string, text: string, read: (text: string) => number | undefined): number | null {
  if (!text.trim()) return null
  const value = read(text.trim())
  if (value === undefined)
    throw new Problem({ status: 0, code: 'invalid', message: `“${text}” is not a number`, field, hint: 'write a number, with a unit such as 20GiB where bytes are meant' })
  return value
}
