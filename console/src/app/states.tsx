// What stands in place of a page that does not exist, failed, or has not begun.
import { Link, useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { queryClient } from '../api/cache'
import { ProblemBox } from '../components/Problem'

export function NotFound() {
  return (
    <main className="flex min-h-dvh flex-col items-center justify-center gap-3 p-4 text-center">
      <h1 className="text-xl font-semibold">There is no such page</h1>
      <p className="text-dim">Press / on any page to search for what you were after.</p>
      <Link to="/" className="btn btn-primary">
        Overview
      </Link>
    </main>
  )
}

export function Failed({ error, reset }: ErrorComponentProps) {
  const router = useRouter()
  const retry = () => {
    queryClient.removeQueries({ predicate: (query) => query.state.status === 'error' })
    reset()
    void router.invalidate()
  }
  return (
    <div className="mx-auto max-w-xl p-6">
      <ProblemBox error={error} retry={retry} />
    </div>
  )
}

export function Starting() {
  return <div className="after-200ms p-6 text-dim">Loading …</div>
}
