// The line above a list: text filter, label chips, column choice, and how many rows are shown.
import { Columns3, Search, X } from 'lucide-react'
import type { AnyObject } from '../../api/types'
import { Menu } from '../Menu'
import type { Column } from './columns'
import type { ListState } from './listState'

interface Props<T extends AnyObject> {
  state: ListState
  labels: string[]
  columns: Column<T>[]
  hidden: string[]
  onHidden: (ids: string[]) => void
  shown: number
  total: number
  extra?: React.ReactNode
}

const CHIPS_MAX = 6

export function ListToolbar<T extends AnyObject>({ state, labels, columns, hidden, onHidden, shown, total, extra }: Props<T>) {
  const offered = labels.filter((label) => !state.labels.includes(label)).slice(0, CHIPS_MAX)
  const setLabels = (next: string[]) => state.set({ label: next.join(',') })
  const choices = columns.filter((column) => column.choice)
  return (
    <div className="mb-2 flex flex-wrap items-center gap-2">
      <div className="relative w-full sm:w-64">
        <Search size={14} className="pointer-events-none absolute top-2.5 left-2.5 text-dim" aria-hidden="true" />
        <input
          type="search" className="input pl-8" placeholder="Filter" aria-label="Filter by text" data-filter="" value={state.q}
          onChange={(event) => state.set({ q: event.target.value })}
          onKeyDown={(event) => {
            if (event.key === 'Escape') event.currentTarget.blur()
          }}
        />
      </div>
      {extra}
      {state.labels.map((label) => (
        <button
          key={label} type="button" className="chip h-6 bg-accent-soft text-accent" aria-label={`Remove label filter ${label}`}
          onClick={() => setLabels(state.labels.filter((each) => each !== label))}
        >
          <span className="truncate">{label}</span>
          <X size={12} aria-hidden="true" />
        </button>
      ))}
      {offered.map((label) => (
        <button key={label} type="button" className="chip hidden h-6 hover:text-ink sm:inline-flex" onClick={() => setLabels([...state.labels, label])}>
          {label}
        </button>
      ))}
      <span className="ml-auto text-dim max-sm:sr-only" role="status">
        {shown === total ? total : `${shown} of ${total}`}
      </span>
      {choices.length > 0 && (
        <span className="hidden md:inline">
          <Menu
            label="Columns" sticky className="btn btn-quiet btn-icon" button={<Columns3 size={16} aria-hidden="true" />}
            items={choices.map((column) => ({
              label: column.title,
              checked: !hidden.includes(column.id),
              onSelect: () =>
                onHidden(hidden.includes(column.id) ? hidden.filter((id) => id !== column.id) : [...hidden, column.id]),
            }))}
          />
        </span>
      )}
    </div>
  )
}
