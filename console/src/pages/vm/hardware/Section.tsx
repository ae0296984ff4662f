// One part of a VM's hardware: shows it, and turns into a form in place. A change goes out as a patch of
// what the user saw; what somebody else changed meanwhile is not written over.
import { Pencil } from 'lucide-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import { patchVm } from '../../../api/actions'
import { noteObject } from '../../../api/cache'
import { asProblem, Problem } from '../../../api/client'
import type { Vm, VmPatch } from '../../../api/types'
import { Panel } from '../../../components/Page'
import { ProblemBox } from '../../../components/Problem'

export interface FormProps<F> {
  form: F
  set: (change: Partial<F>) => void
  problem: Problem | undefined
}

interface Props<F> {
  title: string
  vm: Vm
  /** The form's contents for the VM as it is. */
  begin: (vm: Vm) => F
  /** The patch, or what is wrong with the form. */
  read: (form: F) => VmPatch | Problem
  fields: (props: FormProps<F>) => ReactNode
  children: ReactNode
}

export function Section<F extends object>({ title, vm, begin, read, fields, children }: Props<F>) {
  const [edit, setEdit] = useState<{ base: Vm; form: F }>()
  const button = useRef<HTMLButtonElement>(null)
  const wasOpen = useRef(false)
  useEffect(() => {
    if (!edit && wasOpen.current) button.current?.focus()
    wasOpen.current = edit !== undefined
  }, [edit])
  return (
    <Panel
      title={title}
      actions={
        !edit && (
          <button ref={button} type="button" className="btn btn-quiet h-7 px-2" aria-label={`Edit ${title.toLowerCase()}`} onClick={() => setEdit({ base: vm, form: begin(vm) })}>
            <Pencil size={13} aria-hidden="true" /> Edit
          </button>
        )
      }
    >
      {edit ? (
        <SectionForm
          title={title} form={edit.form} base={edit.base} read={read} fields={fields}
          onChange={(form) => setEdit({ ...edit, form })} onRebase={() => setEdit({ ...edit, base: vm })} onClose={() => setEdit(undefined)}
        />
      ) : (
        children
      )}
    </Panel>
  )
}

interface SectionFormProps<F> {
  title: string
  base: Vm
  form: F
  read: (form: F) => VmPatch | Problem
  fields: (props: FormProps<F>) => ReactNode
  onChange: (form: F) => void
  onRebase: () => void
  onClose: () => void
}

function SectionForm<F extends object>({ title, base, form, read, fields, onChange, onRebase, onClose }: SectionFormProps<F>) {
  const box = useRef<HTMLFormElement>(null)
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  useEffect(() => box.current?.querySelector<HTMLElement>('input, select, textarea, button:enabled')?.focus(), [])
  const save = async () => {
    const patch = read(form)
    if (patch instanceof Problem) {
      setProblem(patch)
      return
    }
    setBusy(true)
    setProblem(undefined)
    try {
      noteObject('vm', await patchVm(base, patch))
      onClose()
    } catch (error) {
      setProblem(asProblem(error))
      setBusy(false)
    }
  }
  const overtaken = problem?.code === 'precondition_failed'
  return (
    // Esc, from wherever in the form the focus is, gives it up.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <form
      ref={box} className="space-y-4" noValidate aria-label={title}
      onSubmit={(event) => {
        event.preventDefault()
        void save()
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        onClose()
      }}
    >
      {problem && <ProblemBox error={problem} compact />}
      {overtaken && (
        <button
          type="button" className="btn"
          onClick={() => {
            setProblem(undefined)
            onRebase()
          }}
        >
          Put my change on top
        </button>
      )}
      {fields({ form, problem, set: (change) => onChange({ ...form, ...change }) })}
      <div className="flex gap-2">
        <button type="submit" className="btn btn-primary" disabled={busy || overtaken}>
          Save
        </button>
        <button type="button" className="btn" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  )
}

/** A mistake that needs no server to see. */
export function mistake(field: string, message: string, hint?: string): Problem {
  return new Problem({ status: 0, code: 'invalid', message, field, hint })
}
