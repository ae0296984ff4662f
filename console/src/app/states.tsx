// What stands in place of a page that does not exist, failed, or has not begun.
import { Link, useLocation, useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { Search } from 'lucide-react'
import { useContext } from 'react'
import { queryClient } from '../api/cache'
import { Page } from '../components/Page'
import { ProblemBox } from '../components/Problem'
import { OpenSearch } from './openSearch'

export function NotFound() {
  const search = useContext(OpenSearch)
  return (
    <Page title="There is no such page">
      <p className="mb-4 text-dim">
        Nothing is at <code className="font-mono text-[13px] wrap-anywhere">{useLocation().pathname}</code>. Press / to search for what you were after.
      </p>
      <div className="flex gap-2">
        <button type="button" className="btn btn-primary" onClick={search}>
          <Search size={15} aria-hidden="true" /> Search
        </button>
        <Link to="/" className="btn">
          Overview
        </Link>
      </div>
    </Page>
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
