// A list's filter and sort order, which live in the URL.
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback } from 'react'

/** `q`, `label` (several with commas), `sort`, and what a page adds: state, kind, level, source, image. */
export type ListSearch = Record<string, string>

/** Reads the query of a list's URL: everything is text, empty values are left out. */
export function readListSearch(search: Record<string, unknown>): ListSearch {
  const entries = Object.entries(search).map(([key, value]) => [key, textOf(value)] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== ''))
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

export function useListState() {
  const search = useSearch({ strict: false })
  const navigate = useNavigate()
  const set = useCallback(
    (change: ListSearch) => {
      void navigate({
        to: '.',
        search: (before: Record<string, unknown>) => readListSearch({ ...before, ...change }),
        replace: true,
      })
    },
    [navigate],
  )
  const read: Partial<ListSearch> = readListSearch(search)
  const { q = '', sort = '', label = '', state = '', kind = '', level = '', source = '', image = '' } = read
  return { q, sort, labels: label ? label.split(',') : [], state, kind, level, source, image, set }
}

export type ListState = ReturnType<typeof useListState>
