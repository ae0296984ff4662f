// A dialog around a form: sends it once, shows what the server says is wrong at the field it names.
import { useId, useState, type ReactNode } from 'react'
import { asProblem, type Problem } from '../api/client'
import { Dialog } from './Dialog'
import { ProblemBox } from './Problem'

interface Props {
  title: string
  submit: string
  onSubmit: () => Promise<unknown>
  onClose: () => void
  /** Gets the failure of the last try, to show it at its field. */
  children: (problem: Problem | undefined) => ReactNode
  disabled?: boolean
  /** What it does is not easily undone: the focus starts on Cancel. */
  danger?: boolean
  /** What comes after it was sent is the caller's to show. */
  stays?: boolean
}

export function FormDialog({ title, submit, onSubmit, onClose, children, disabled, danger, stays }: Props) {
  const id = useId()
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  const send = async () => {
    setBusy(true)
    setProblem(undefined)
    try {
      await onSubmit()
      if (!stays) onClose()
    } catch (error) {
      setProblem(asProblem(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={title} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" data-autofocus={danger ? '' : undefined} onClick={onClose}>
            Cancel
          </button>
          <button type="submit" form={id} className={`btn ${danger ? 'btn-danger' : 'btn-primary'}`} disabled={busy || disabled}>
            {submit}
          </button>
        </>
      }
    >
      <form
        id={id} className="space-y-4" noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void send()
        }}
      >
        {problem && <ProblemBox error={problem} compact />}
        {children(problem)}
      </form>
    </Dialog>
  )
}

/** The message of a problem when it is about one of these fields. */
export function errorAt(problem: Problem | undefined, ...fields: string[]): string | undefined {
  return problem?.field && fields.some((field) => problem.field === field || problem.field?.startsWith(`${field}.`)) ? problem.message : undefined
}
