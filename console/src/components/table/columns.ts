// What a list's columns are.
import type { ReactNode } from 'react'
import type { AnyObject } from '../../api/types'

export interface Column<T extends AnyObject> {
  id: string
  title: string
  /** Any CSS width; the column without one takes the rest. */
  width?: string
  right?: boolean
  cell: (row: T) => ReactNode
  sort?: (row: T) => string | number
  /** May be taken away; `hidden` ones are away at first. */
  choice?: 'shown' | 'hidden'
  /** Also stands on a narrow screen. */
  narrow?: boolean
  /** Its width there, if another. */
  narrowWidth?: string
}

export interface Sort {
  column: string
  descending: boolean
}

/** `name` or `-name`, as it stands in the URL. */
export function readSort(text: string): Sort {
  return text.startsWith('-') ? { column: text.slice(1), descending: true } : { column: text, descending: false }
}

/** What a click on a column's title asks for next. */
export function nextSort(current: string, column: string): string {
  return current === column ? `-${column}` : column
}

export function sortRows<T extends AnyObject>(rows: readonly T[], columns: readonly Column<T>[], text: string): T[] {
  const sort = readSort(text)
  const value = columns.find((column) => column.id === sort.column)?.sort ?? ((row: T) => row.meta.name)
  const keyed = rows.map((row) => ({ row, value: keyOf(value(row)), name: keyOf(row.meta.name) }))
  const sign = sort.descending ? -1 : 1
  keyed.sort((a, b) => sign * compare(a.value, b.value) || compare(a.name, b.name))
  return keyed.map(({ row }) => row)
}

const DIGITS = 16

/** Made once for each row: `Intl.Collator` at each comparison took longer than all the rest of a change. */
function keyOf(value: string | number): string | number {
  return typeof value === 'number' ? value : value.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(DIGITS, '0'))
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0
}
