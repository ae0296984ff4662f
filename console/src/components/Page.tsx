// The frame of every page: its heading, its actions, and what stands there while it loads or fails.
import { useEffect, useRef, type ReactNode } from 'react'
import { ProblemBox } from './Problem'

interface Props {
  title: string
  /** Beside the heading. */
  extra?: ReactNode
  actions?: ReactNode
  children: ReactNode
  /** The page scrolls inside its own parts (tables, terminals) instead of as a whole. */
  fill?: boolean
}

export function Page({ title, extra, actions, children, fill }: Props) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} – NovaCron`
    // A reader of the screen hears where it is, unless the focus already stands somewhere on the page.
    if (document.activeElement === document.body) heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <div className={`mx-auto flex w-full max-w-[1500px] flex-col px-4 pt-4 md:px-6 ${fill ? 'h-full min-h-0 pb-3' : 'pb-8'}`}>
      <header className="mb-3 flex min-h-8 flex-wrap items-center gap-x-3 gap-y-2">
        <h1 ref={heading} tabIndex={-1} className="min-w-0 truncate text-xl font-semibold">
          {title}
        </h1>
        {extra}
        {actions && <div className="ml-auto flex flex-wrap items-center gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  )
}

export function Skeleton({ rows = 6 }: { rows?: number }) {
  return (
    <div className="after-200ms space-y-2" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="h-7 animate-pulse rounded bg-hover" />
      ))}
    </div>
  )
}

interface Query<T> {
  data: T | undefined
  error: Error | null
  refetch: () => unknown
}

/** Shows data once it is there, a skeleton before, and the problem instead. */
export function Loaded<T>({ query, rows, children }: { query: Query<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return <>{children(query.data)}</>
  if (query.error) return <ProblemBox error={query.error} retry={() => void query.refetch()} />
  return <Skeleton rows={rows} />
}

/** A list without rows says how its first one comes to be. */
export function Empty({ text, action, command }: { text: string; action?: ReactNode; command?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-3 px-4 py-16 text-center">
      <p className="text-dim">{text}</p>
      {action}
      {command && <div className="w-full max-w-xl">{command}</div>}
    </div>
  )
}

export function Facts({ facts }: { facts: [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[minmax(6.5rem,auto)_1fr] gap-x-4 gap-y-1.5">
      {facts.map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="text-dim">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export function Panel({ title, actions, children, className = '' }: { title?: string; actions?: ReactNode; children: ReactNode; className?: string }) {
  return (
    <section className={`panel min-w-0 p-4 ${className}`}>
      {title && (
        <div className="mb-3 flex items-center justify-between gap-2">
          <h2 className="font-semibold">{title}</h2>
          {actions}
        </div>
      )}
      {children}
    </section>
  )
}

export function Meter({ label, used, total, text }: { label: string; used: number; total: number; text: string }) {
  const share = total > 0 ? Math.min(1, used / total) : 0
  const tone = share > 0.95 ? 'bg-bad' : share > 0.85 ? 'bg-warn' : 'bg-accent'
  return (
    <div>
      <div className="mb-1 flex justify-between gap-2">
        <span>{label}</span>
        <span className="text-dim">{text}</span>
      </div>
      <div
        className="h-2 overflow-hidden rounded-full bg-line" role="meter" aria-label={label}
        aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} aria-valuetext={text}
      >
        <div className={`h-full rounded-full ${tone}`} style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  )
}
