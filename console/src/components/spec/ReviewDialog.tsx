// Shows what is about to be saved, line by line.
import { useState } from 'react'
import { Dialog } from '../Dialog'
import { count } from '../format'
import { diffLines, shownLines, type Line } from './lines'

interface Props {
  name: string
  before: string
  after: string
  onSave: () => Promise<void>
  onClose: () => void
}

const LOOKS: Record<Line['mark'], string> = { ' ': 'text-dim', '-': 'bg-bad-soft text-bad', '+': 'bg-ok-soft text-ok' }
const SAID: Record<Line['mark'], string> = { ' ': '', '-': 'removed: ', '+': 'added: ' }

export function ReviewDialog({ name, before, after, onSave, onClose }: Props) {
  const [busy, setBusy] = useState(false)
  const lines = diffLines(before, after)
  const sum = (mark: string) => lines.filter((line) => line.mark === mark).length
  const save = () => {
    setBusy(true)
    void onSave()
  }
  return (
    <Dialog
      title={`Save these changes of ${name}?`} wide onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            Go on editing
          </button>
          <button type="button" className="btn btn-primary" data-autofocus="" disabled={busy} onClick={save}>
            Save
          </button>
        </>
      }
    >
      <p className="mb-2 text-dim">
        {count(sum('+'), 'line')} added, {count(sum('-'), 'line')} removed
      </p>
      <ol className="overflow-x-auto rounded-md border border-line font-mono text-[13px] leading-5" aria-label="Difference">
        {shownLines(lines).map((line, index) => (
          <li key={index} className={`min-w-max px-2 whitespace-pre ${line ? LOOKS[line.mark] : 'text-dim'}`}>
            {line ? (
              <>
                <span aria-hidden="true">{line.mark} </span>
                <span className="sr-only">{SAID[line.mark]}</span>
                {line.text}
              </>
            ) : (
              '…'
            )}
          </li>
        ))}
      </ol>
    </Dialog>
  )
}
