// Form fields: a label, an input, a hint, and the error that the server named for it.
import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes } from 'react'

interface Frame {
  label: string
  hint?: ReactNode
  error?: string
}

interface Ids {
  id: string
  'aria-describedby': string | undefined
  'aria-invalid': boolean | undefined
}

function Field({ label, hint, error, children }: Frame & { children: (ids: Ids) => ReactNode }) {
  const id = useId()
  const note = error ?? hint
  return (
    <div className="min-w-0">
      <label htmlFor={id} className="mb-1 block font-medium">
        {label}
      </label>
      {children({ id, 'aria-describedby': note ? `${id}-note` : undefined, 'aria-invalid': error ? true : undefined })}
      {note && (
        <p id={`${id}-note`} className={`mt-1 text-xs ${error ? 'text-bad' : 'text-dim'}`}>
          {note}
        </p>
      )}
    </div>
  )
}

export function TextField({ label, hint, error, ...input }: Frame & InputHTMLAttributes<HTMLInputElement>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => <input className="input" autoComplete="off" spellCheck={false} {...input} {...ids} />}
    </Field>
  )
}

export function TextArea({ label, hint, error, ...input }: Frame & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => <textarea className="input" rows={4} spellCheck={false} {...input} {...ids} />}
    </Field>
  )
}

interface Choice {
  value: string
  label: string
}

export function SelectField({
  label, hint, error, options, ...input
}: Frame & { options: Choice[] } & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Field label={label} hint={hint} error={error}>
      {(ids) => (
        <select className="input" {...input} {...ids}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
