// Choosing a file of this machine, and how far it has been sent.
import { useId } from 'react'
import type { Sending } from '../../api/upload'
import { bytes, percent } from '../../components/format'

interface Props {
  accept: string
  hint: string
  onFile: (file: File | undefined) => void
}

export function FileField({ accept, hint, onFile }: Props) {
  const id = useId()
  return (
    <div>
      <label className="mb-1 block font-medium" htmlFor={id}>
        File
      </label>
      <input
        id={id} type="file" data-autofocus="" className="block w-full" accept={accept} aria-describedby={`${id}-note`}
        onChange={(event) => onFile(event.target.files?.[0])}
      />
      <p id={`${id}-note`} className="mt-1 text-xs text-dim">{hint}</p>
    </div>
  )
}

export function UploadProgress({ sending, total }: { sending: Sending; total: number }) {
  const share = percent(sending.sent, total)
  return (
    <div className="space-y-1">
      <div
        className="h-1.5 w-full overflow-hidden rounded-full bg-line" role="progressbar" aria-label="Sent"
        aria-valuenow={share} aria-valuemin={0} aria-valuemax={100}
      >
        <div className="h-full bg-accent" style={{ width: `${share}%` }} />
      </div>
      <p role="status" className="text-dim">
        {bytes(sending.sent)} of {bytes(total)} sent ({share} %)
        {sending.broken && ` – ${sending.broken}; it goes on by itself`}
      </p>
    </div>
  )
}
