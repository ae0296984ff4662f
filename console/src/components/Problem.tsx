// How a failed request is shown: title, field, hint, code, and a way to try again.
import { asProblem } from '../api/client'
import { AlertIcon } from './StateMark'

export function ProblemBox({ error, retry, compact }: { error: unknown; retry?: () => void; compact?: boolean }) {
  const problem = asProblem(error)
  return (
    <div role="alert" className={`flex gap-2 rounded-md bg-bad-soft px-3 py-2 text-ink ${compact ? '' : 'my-3'}`}>
      <span className="mt-0.5 text-bad">
        <AlertIcon />
      </span>
      <div className="min-w-0 flex-1">
        <p className="font-medium break-words">{sentence(problem.message)}</p>
        {problem.field && (
          <p className="text-dim">
            Field <code className="font-mono">{problem.field}</code>
          </p>
        )}
        {problem.hint && <p className="text-dim break-words">{sentence(problem.hint)}</p>}
        <p className="text-xs text-dim">
          Code <code className="font-mono">{problem.code}</code>
        </p>
      </div>
      {retry && (
        <button type="button" className="btn" onClick={retry}>
          Retry
        </button>
      )}
    </div>
  )
}

export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}
