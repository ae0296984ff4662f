// Short messages about what has just been asked for: kept here, drawn by `Notices`.
import { useSyncExternalStore } from 'react'
import { asProblem } from '../api/client'

export interface Notice {
  id: number
  tone: 'ok' | 'bad'
  title: string
  text?: string
  code?: string
}

let notices: Notice[] = []
let nextId = 1
const listeners = new Set<() => void>()

function set(next: Notice[]): void {
  notices = next
  for (const listener of listeners) listener()
}

const SHOWN_MS = 5000

export function notify(notice: Omit<Notice, 'id'>): void {
  const id = nextId++
  set([...notices.slice(-4), { ...notice, id }])
  if (notice.tone === 'ok') setTimeout(() => dismiss(id), SHOWN_MS)
}

/** Failures stay until dismissed. */
export function notifyError(what: string, error: unknown): void {
  const problem = asProblem(error)
  const text = [problem.message, problem.field && `(field ${problem.field})`, problem.hint && `– ${problem.hint}`]
  notify({ tone: 'bad', title: what, text: text.filter(Boolean).join(' '), code: problem.code })
}

export function dismiss(id: number): void {
  set(notices.filter((notice) => notice.id !== id))
}

export function useNotices(): Notice[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => notices,
  )
}
