// A table of objects: fixed rows, of which only those in sight are drawn; selection and a current row.
// What stands in it comes from its columns; which rows, from `ListPage`.
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown, ArrowUp } from 'lucide-react'
import { memo, useCallback, useEffect, useRef } from 'react'
import type { AnyObject } from '../../api/types'
import { useFlash } from '../hooks'
import type { Row } from './calm'
import { nextSort, readSort, type Column } from './columns'

const ROW_PX = 36

interface Props<T extends AnyObject> {
  label: string
  rows: Row<T>[]
  columns: Column<T>[]
  sort: string
  onSort: (sort: string) => void
  selected: ReadonlySet<string>
  onSelect?: (uids: ReadonlySet<string>) => void
  /** Rows that nothing can be done with at once have no checkbox. */
  selectable: (row: T) => boolean
  current: number
  onCurrent: (index: number) => void
  onHover: (inside: boolean) => void
  /** A short text of what a row shows; when it changes the row flashes. */
  signature: (row: T) => string
}

export function ObjectTable<T extends AnyObject>(props: Props<T>) {
  const { rows, columns, selected, onSelect, current, onHover } = props
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    getItemKey: (index) => rows[index]?.item.meta.uid ?? index,
  })
  const shown = virtual.getVirtualItems()
  useEffect(() => {
    if (current >= 0) virtual.scrollToIndex(current)
  }, [current, virtual])

  const latest = useRef({ selected, onSelect })
  useEffect(() => {
    latest.current = { selected, onSelect }
  })
  // The same function at every render, so that only rows that have changed are drawn again.
  const toggle = useCallback((uid: string) => latest.current.onSelect?.(toggled(latest.current.selected, uid)), [])

  const above = shown[0]?.start ?? 0
  const below = virtual.getTotalSize() - (shown.at(-1)?.end ?? 0)
  const width = columns.length + (onSelect ? 1 : 0)
  return (
    <div ref={box} className="panel min-h-[4.75rem] overflow-auto overscroll-contain" data-table="">
      <table className="w-full table-fixed border-separate border-spacing-0 text-left" style={{ minWidth: leastWidth(columns) }} aria-label={props.label} aria-rowcount={rows.length + 1}>
        <Columns columns={columns} selectable={onSelect !== undefined} />
        <Head {...props} />
        {/* A row's dialog lies inside of the table, and goes without the pointer having left it. */}
        <tbody onPointerOver={(event) => onHover(!isInDialog(event.target))} onPointerLeave={() => onHover(false)}>
          <Gap height={above} width={width} />
          {shown.map(({ index }) => {
            const row = rows[index]
            if (!row) return null
            return (
              <BodyRow
                key={row.item.meta.uid} row={row} index={index} columns={columns} current={index === current}
                selected={selected.has(row.item.meta.uid)} selectable={props.selectable(row.item)} signature={props.signature(row.item)} onCurrent={props.onCurrent}
                onToggle={onSelect && toggle}
              />
            )
          })}
          <Gap height={below} width={width} />
        </tbody>
      </table>
    </div>
  )
}

export function toggled(set: ReadonlySet<string>, uid: string): Set<string> {
  const next = new Set(set)
  if (!next.delete(uid)) next.add(uid)
  return next
}

/** Below this the list scrolls sideways instead of squeezing the column that takes the rest. */
function leastWidth<T extends AnyObject>(columns: Column<T>[]): string {
  return `calc(${columns.map((column) => column.width ?? '5rem').join(' + ')} + 2rem)`
}

function Columns<T extends AnyObject>({ columns, selectable }: { columns: Column<T>[]; selectable: boolean }) {
  return (
    <colgroup>
      {selectable && <col style={{ width: 36 }} />}
      {columns.map((column) => (
        <col key={column.id} style={{ width: column.width }} />
      ))}
    </colgroup>
  )
}

/** Room of the rows that are not drawn. */
function Gap({ height, width }: { height: number; width: number }) {
  if (height <= 0) return null
  return (
    <tr aria-hidden="true">
      <td colSpan={width} style={{ height }} />
    </tr>
  )
}

function Head<T extends AnyObject>({ columns, rows, sort, onSort, selected, onSelect, selectable, label }: Props<T>) {
  const order = readSort(sort)
  const uids = rows.filter((row) => selectable(row.item)).map((row) => row.item.meta.uid)
  const all = uids.length > 0 && uids.every((uid) => selected.has(uid))
  const some = selected.size > 0 && !all
  const cell = 'sticky top-0 z-10 h-9 border-b border-line bg-panel px-2 font-medium text-dim first:pl-3'
  return (
    <thead>
      <tr aria-rowindex={1}>
        {onSelect && (
          <th scope="col" className={cell}>
            <input
              type="checkbox" className="block size-4 accent-accent" aria-label={`Select all ${label}`} checked={all} disabled={uids.length === 0}
              ref={(box) => {
                if (box) box.indeterminate = some
              }}
              onChange={() => onSelect(new Set(all ? [] : uids))}
            />
          </th>
        )}
        {columns.map((column) => {
          const active = order.column === column.id
          const Arrow = order.descending ? ArrowDown : ArrowUp
          return (
            <th
              key={column.id} scope="col" className={`${cell} ${column.right ? 'text-right' : ''}`}
              aria-sort={active ? (order.descending ? 'descending' : 'ascending') : undefined}
            >
              {column.sort ? (
                <button type="button" className="inline-flex max-w-full items-center gap-1 hover:text-ink" onClick={() => onSort(nextSort(sort, column.id))}>
                  <span className="truncate">{column.title}</span>
                  {active && <Arrow size={12} aria-hidden="true" />}
                </button>
              ) : (
                <span className={column.title ? 'block truncate' : 'sr-only'}>{column.title || column.id}</span>
              )}
            </th>
          )
        })}
      </tr>
    </thead>
  )
}

interface BodyRowProps<T extends AnyObject> {
  row: Row<T>
  index: number
  columns: Column<T>[]
  current: boolean
  selected: boolean
  selectable: boolean
  signature: string
  onCurrent: (index: number) => void
  onToggle?: (uid: string) => void
}

/** Of a thousand rows that change two hundred times a second, few are in sight and fewer differ. */
const BodyRow = memo(PlainRow, (a, b) => {
  const { row, ...rest } = a
  const others: BodyRowProps<AnyObject> = b
  const same = (Object.keys(rest) as (keyof typeof rest)[]).every((key) => rest[key] === others[key])
  return same && row.item === b.row.item && row.gone === b.row.gone
}) as typeof PlainRow

function PlainRow<T extends AnyObject>({ row, index, columns, current, selected, selectable, signature, onCurrent, onToggle }: BodyRowProps<T>) {
  const flash = useFlash(signature)
  const name = row.item.meta.name
  const tint = selected ? 'bg-accent-soft' : 'hover:bg-hover'
  const marker = current ? 'shadow-[inset_3px_0_0_var(--accent)]' : ''
  return (
    <tr
      className={`${tint} ${flash} ${row.gone ? 'opacity-40' : ''}`} aria-rowindex={index + 2} data-name={name}
      data-current={current || undefined} onClick={() => onCurrent(index)}
    >
      {onToggle && (
        <td className={`h-9 border-b border-line pl-3 ${marker}`}>
          {selectable && (
            <input type="checkbox" className="block size-4 accent-accent" aria-label={`Select ${name}`} checked={selected} onChange={() => onToggle(row.item.meta.uid)} />
          )}
        </td>
      )}
      {columns.map((column, at) => (
        <td
          key={column.id}
          className={`h-9 border-b border-line px-2 py-0 first:pl-3 ${column.right ? 'text-right' : ''} ${at === 0 && !onToggle ? marker : ''}`}
        >
          <div className="truncate">{column.cell(row.item)}</div>
        </td>
      ))}
    </tr>
  )
}

function isInDialog(target: EventTarget): boolean {
  return target instanceof Element && target.closest('dialog') !== null
}
