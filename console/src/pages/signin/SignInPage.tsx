// Signing in: trades the one-time code of a sign-in link for a session, else says how to get a link.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { signIn } from '../../api/actions'
import { queryClient } from '../../api/cache'
import { CommandLine } from '../../components/Copy'
import { ProblemBox } from '../../components/Problem'

let taken: string | undefined

/** Reads the code once and takes it out of the address bar and the history. */
function takeCode(): string | undefined {
  const code = new URLSearchParams(window.location.hash.slice(1)).get('code')
  if (code) {
    taken = code
    window.history.replaceState(window.history.state, '', window.location.pathname)
  }
  return taken
}

export function SignInPage() {
  const navigate = useNavigate()
  const { ended } = useSearch({ from: '/signin' })
  const [error, setError] = useState<unknown>()
  const [code] = useState(takeCode)

  useEffect(() => {
    document.title = 'Sign in – NovaCron'
    if (!code || taken !== code) return
    taken = undefined // good for one use
    signIn(code)
      .then(() => {
        queryClient.clear()
        return navigate({ to: '/' })
      })
      .catch(setError)
  }, [code, navigate])

  return (
    <main className="flex min-h-dvh items-center justify-center bg-page p-4">
      <div className="panel w-full max-w-md p-6">
        <img src="/favicon.svg" alt="" width={36} height={36} className="mb-4" />
        <h1 className="mb-2 text-xl font-semibold">Sign in to NovaCron</h1>
        {error !== undefined && <ProblemBox error={error} />}
        {code && error === undefined ? (
          <p className="text-dim" role="status">
            Signing in …
          </p>
        ) : (
          <div className="space-y-3">
            {ended && <p>Your session has ended.</p>}
            <p className="text-dim">On the machine that runs NovaCron, ask for a sign-in link and open it here. It is good for one use within five minutes.</p>
            <CommandLine text="novacron web" />
          </div>
        )}
      </div>
    </main>
  )
}
