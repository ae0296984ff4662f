// Small hooks of no page in particular: the passing of time, the flash of a change, kept choices.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'

let now = Date.now()
const watchers = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function watchClock(listener: () => void): () => void {
  watchers.add(listener)
  if (!timer) now = Date.now()
  timer ??= setInterval(() => {
    now = Date.now()
    for (const each of watchers) each()
  }, 5000)
  return () => {
    watchers.delete(listener)
    if (watchers.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** The time, moving on every five seconds: ages count up without anybody asking. */
export function useNow(): number {
  return useSyncExternalStore(watchClock, () => now)
}

/** A class that makes the element flash once when `value` changes; never when it first appears. */
export function useFlash(value: string): string {
  const seen = useRef(value)
  const [count, setCount] = useState(0)
  useEffect(() => {
    if (seen.current === value) return
    seen.current = value
    setCount((before) => before + 1)
  }, [value])
  if (count === 0) return ''
  return count % 2 === 0 ? 'flash-even' : 'flash-odd'
}

const narrow = typeof matchMedia === 'undefined' ? undefined : matchMedia('(max-width: 47.99rem)')

/** Whether the window is a phone's: the same width as the `md:` classes begin at. */
export function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      narrow?.addEventListener('change', listener)
      return () => narrow?.removeEventListener('change', listener)
    },
    () => narrow?.matches ?? false,
  )
}

/** A choice kept in this browser. */
export function useStored<T>(key: string, initial: T): [T, (value: T) => void] {
  const full = `novacron.${key}`
  const [value, setValue] = useState<T>(() => {
    try {
      const text = localStorage.getItem(full)
      return text === null ? initial : (JSON.parse(text) as T)
    } catch {
      return initial
    }
  })
  const store = useCallback(
    (next: T) => {
      setValue(next)
      try {
        localStorage.setItem(full, JSON.stringify(next))
      } catch {
        // A browser without storage forgets the choice; nothing else depends on it.
      }
    },
    [full],
  )
  return [value, store]
}

/** What was typed and not sent yet: kept while this tab of the browser lives, a reload included. No secrets. */
export function useDraft<T>(key: string): [T | undefined, (value: T | undefined) => void] {
  const full = `novacron.draft.${key}`
  const [value, setValue] = useState<T | undefined>(() => {
    try {
      const text = sessionStorage.getItem(full)
      return text === null ? undefined : (JSON.parse(text) as T)
    } catch {
      return undefined
    }
  })
  const store = useCallback(
    (next: T | undefined) => {
      setValue(next)
      try {
        if (next === undefined) sessionStorage.removeItem(full)
        else sessionStorage.setItem(full, JSON.stringify(next))
      } catch {
        // Without storage it lasts as long as the page.
      }
    },
    [full],
  )
  return [value, store]
}
