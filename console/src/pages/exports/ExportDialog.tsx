// Asks which moment is exported and hands the file to the browser's downloads.
import { useState, type ReactNode } from 'react'
import { CommandLine } from '../../components/Copy'
import { Dialog } from '../../components/Dialog'
import { SelectField } from '../../components/Field'
import type { Moment } from './moments'

interface Props {
  title: string
  moments: Moment[]
  /** The VM that may keep it from being read now. */
  holder?: string
  path: (snapshot?: string) => string
  command: (snapshot?: string) => string
  onClose: () => void
  children?: ReactNode
}

export function ExportDialog({ title, moments, holder, path, command, onClose, children }: Props) {
  const [chosen, setChosen] = useState<string>()
  const moment = moments.find((each) => each.label === chosen) ?? moments[0]
  return (
    <Dialog
      title={title} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" onClick={onClose}>
            Cancel
          </button>
          {moment && (
            <a className="btn btn-primary" data-autofocus="" href={path(moment.snapshot)} download="" onClick={onClose}>
              Download
            </a>
          )}
        </>
      }
    >
      {moment ? (
        <div className="space-y-4">
          <SelectField
            label="As of" value={moment.label} onChange={(event) => setChosen(event.target.value)}
            options={moments.map(({ label }) => ({ value: label, label }))}
          />
          {children}
          <p className="text-dim">The node puts the file together first; the download begins once that is done.</p>
          <CommandLine text={command(moment.snapshot)} stacked />
        </div>
      ) : (
        <p>VM {holder} is running. Stop it, or take a snapshot: that can be exported while it runs.</p>
      )}
    </Dialog>
  )
}
