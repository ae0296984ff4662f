// Objects of all projects at once. The stream of a tab tells of the project in view; what lies in the
// others is asked for again every few seconds, for as long as somebody looks.
import { useQueries, type UseQueryResult } from '@tanstack/react-query'
import { fetchList, keys } from './cache'
import type { Listing } from './changes'
import { useList } from './queries'
import type { KindName, Kinds } from './types'

const AGAIN_MS = 15_000

export interface Across<T> {
  /** All that is known; `undefined` until each project has answered. */
  data: T[] | undefined
  error: Error | null
  refetch: () => unknown
}

/** `project` is the one in view. */
export function useAcross<K extends KindName>(kind: K, project: string): Across<Kinds[K]> {
  const projects = useList('project', '')
  const names = projects.data?.items.map((each) => each.meta.name) ?? []
  const lists = useQueries({
    queries: names.map((name) => ({
      // Not the key of a list that the stream keeps current, which this one would overwrite or pass for.
      queryKey: name === project ? keys.list(kind, name) : ['across', kind, name],
      queryFn: ({ signal }: { signal: AbortSignal }) => fetchList(kind, name, signal),
      ...(name !== project && { refetchInterval: AGAIN_MS, staleTime: 0 }),
    })),
    combine: (results: UseQueryResult<Listing<Kinds[K]>>[]) => together(results),
  })
  return projects.data ? lists : { data: undefined, error: projects.error, refetch: () => projects.refetch() }
}

function together<T>(results: UseQueryResult<Listing<T>>[]): Across<T> {
  const failed = results.find((each) => each.error)
  return {
    data: results.every((each) => each.data) ? results.flatMap((each) => each.data?.items ?? []) : undefined,
    error: failed?.error ?? null,
    refetch: () => Promise.all(results.map((each) => each.refetch())),
  }
}
