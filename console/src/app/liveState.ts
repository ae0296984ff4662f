// Runs the tab's watch stream for the project in view, and tells how current the page is.
import { useEffect, useSyncExternalStore } from 'react'
import { absorb, queryClient } from '../api/cache'
import { LiveStream, type LiveState } from '../api/live'
import { systemQuery } from '../api/queries'

let current: LiveState = { state: 'closed' }
const listeners = new Set<() => void>()

function publish(state: LiveState): void {
  current = state
  for (const listener of listeners) listener()
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}

/** Lists of another project would miss what happens while its stream is not read: they are let go. */
export function useLiveStream(project: string, signedOut: () => void): void {
  useEffect(() => {
    const revision = queryClient.getQueryData(systemQuery.queryKey)?.revision ?? 0
    const stream = new LiveStream(project, revision, { changes: absorb, state: publish, signedOut })
    return () => {
      stream.close()
      queryClient.removeQueries({ predicate: (query) => ['list', 'object', 'events'].includes(String(query.queryKey[0])), type: 'inactive' })
      void queryClient.invalidateQueries()
    }
  }, [project, signedOut])
}
