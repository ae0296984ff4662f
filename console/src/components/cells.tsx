// Cells that several lists share.
import type { AnyObject } from '../api/types'
import { age } from './format'
import { useNow } from './hooks'
import type { Column } from './table/columns'

export function Age({ from }: { from: string }) {
  const now = useNow()
  return <span title={new Date(from).toLocaleString()}>{age(from, now)}</span>
}

export function Labels({ labels }: { labels?: Record<string, string> }) {
  const entries = Object.entries(labels ?? {})
  if (entries.length === 0) return null
  return (
    <span className="block truncate text-xs leading-3.5 text-dim">
      {entries.map(([key, value]) => (value ? `${key}=${value}` : key)).join('  ')}
    </span>
  )
}

export function Dash() {
  return <span className="text-dim">–</span>
}

export function nameColumn<T extends AnyObject>(): Column<T> {
  return {
    id: 'name', title: 'Name', narrow: true, sort: (row) => row.meta.name,
    cell: (row) => (
      <>
        <span className="block truncate leading-4.5 font-medium">{row.meta.name}</span>
        <Labels labels={row.meta.labels} />
      </>
    ),
  }
}

export function ageColumn<T extends AnyObject>(): Column<T> {
  return {
    id: 'age', title: 'Age', width: '5rem', right: true, choice: 'shown', sort: (row) => -Date.parse(row.meta.created),
    cell: (row) => <Age from={row.meta.created} />,
  }
}
