// A live list as a page: reads, filters, sorts, keeps still under the pointer, selects, answers keys.
// Each noun's page gives the columns and what can be done with rows.
import type { UseQueryResult } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useMemo, useRef, useState, type ReactNode } from 'react'
import type { Listing } from '../../api/changes'
import type { AnyObject, Unreadable } from '../../api/types'
import { useKeys } from '../../app/keys'
import { count } from '../format'
import { useNarrow, useStored } from '../hooks'
import { Loaded, Page } from '../Page'
import { StateMark } from '../StateMark'
import { calm, type Row } from './calm'
import { sortRows, type Column } from './columns'
import { labelsInUse, matches } from './filter'
import { ListToolbar } from './ListToolbar'
import { useListState, type ListState } from './listState'
import { ObjectTable, toggled } from './ObjectTable'

export interface ListPageProps<T extends AnyObject> {
  title: string
  /** Names the kept choice of columns. */
  id: string
  query: UseQueryResult<Listing<T>>
  columns: Column<T>[]
  /** More texts that the filter looks into. */
  texts?: (row: T) => string[]
  signature?: (row: T) => string
  /** Lets rows through, on top of text and labels. */
  where?: (row: T, state: ListState) => boolean
  sort?: string
  actions?: ReactNode
  toolbar?: (state: ListState) => ReactNode
  empty: ReactNode
  /** Shown while rows are selected. */
  bulk?: (rows: T[], clear: () => void) => ReactNode
  /** Which rows can be selected; all, unless said. */
  selectable?: (row: T) => boolean
  /** Where a row leads. */
  href?: (row: T) => string
  keys?: Record<string, (row: T) => void>
}

export function ListPage<T extends AnyObject>(props: ListPageProps<T>) {
  return (
    <Page title={props.title} actions={props.actions} fill>
      <Loaded query={props.query} rows={10}>
        {(list) => (
          <>
            <UnreadableObjects objects={list.unreadable ?? []} />
            {list.items.length === 0 ? props.empty : <List {...props} items={list.items} />}
          </>
        )}
      </Loaded>
    </Page>
  )
}

function UnreadableObjects({ objects }: { objects: Unreadable[] }) {
  if (objects.length === 0) return null
  return (
    <details className="mb-3 rounded border border-line px-3 py-2" role="alert">
      <summary>
        <StateMark state="warning" word={`${count(objects.length, 'object')} cannot be read by this version`} />
      </summary>
      <ul className="mt-1 text-dim">
        {objects.map(({ name, reason }) => (
          <li key={name}>
            {name}: {reason}
          </li>
        ))}
      </ul>
    </details>
  )
}

const NO_TEXTS = () => []
const EACH = () => true

function List<T extends AnyObject>({
  title, id, items: newest, columns, texts = NO_TEXTS, signature, where, sort = 'name', toolbar, bulk, selectable = EACH, href, keys,
}: ListPageProps<T> & { items: T[] }) {
  // What changes in the world waits for what the user does: scrolling and typing come first.
  const items = useDeferredValue(newest)
  const state = useListState()
  const [hidden, setHidden] = useStored(`columns.${id}`, columns.filter((c) => c.choice === 'hidden').map((c) => c.id))
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [current, setCurrent] = useState(-1)
  const [hovered, setHovered] = useState(false)
  const order = state.sort || sort
  const asked = JSON.stringify(state)

  const wanted = useMemo(() => {
    const pass = items.filter((row) => matches(row, state.q, state.labels, texts(row)) && (where?.(row, state) ?? true))
    return sortRows(pass, columns, order)
    // `asked` stands for all of `state`, which is made anew at every render.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [items, columns, order, asked, texts, where])
  const rows = useCalmRows(wanted, hovered, asked)
  const narrow = useNarrow()
  const drawn = useMemo(() => {
    const visible = (column: Column<T>) => !hidden.includes(column.id) && (column.narrow || !narrow)
    return columns.filter(visible).map((column) => (narrow && column.narrowWidth ? { ...column, width: column.narrowWidth } : column))
  }, [columns, hidden, narrow])
  const labels = useMemo(() => labelsInUse(items), [items])
  const chosen = items.filter((row) => selected.has(row.meta.uid))
  const matching = bulk && wanted.length < items.length ? wanted.filter(selectable) : []
  const more = matching.some((row) => !selected.has(row.meta.uid))
  const selectMatching = <SelectMatching count={matching.length} onSelect={() => setSelected(new Set(matching.map((row) => row.meta.uid)))} />

  useRowKeys<T>({
    rows, current, setCurrent, href, keys, onToggle: bulk && ((row) => selectable(row) && setSelected(toggled(selected, row.meta.uid))),
  })
  return (
    <>
      {bulk && chosen.length > 0 ? (
        <BulkBar count={chosen.length} onClear={() => setSelected(new Set())}>
          {bulk(chosen, () => setSelected(new Set()))}
          {more && selectMatching}
        </BulkBar>
      ) : (
        <ListToolbar
          state={state} labels={labels} columns={columns} hidden={hidden} onHidden={setHidden}
          shown={rows.length} total={items.length} extra={<>{toolbar?.(state)}{more && selectMatching}</>}
        />
      )}
      <ObjectTable
        label={title} rows={rows} columns={drawn} sort={order}
        onSort={(next) => state.set({ sort: next === sort ? '' : next })} selected={selected} onSelect={bulk && setSelected} selectable={selectable}
        current={current} onCurrent={setCurrent} onHover={setHovered} signature={signature ?? (() => '')}
      />
      {rows.length === 0 && (
        <p className="py-6 text-center text-dim" role="status">
          Nothing matches. <button type="button" className="link" onClick={() => state.set({ q: '', label: '', state: '' })}>Clear the filter</button>
        </p>
      )}
    </>
  )
}

/** What a text, labels and a state let through, in one step: for many more rows than one sees. */
function SelectMatching({ count, onSelect }: { count: number; onSelect: () => void }) {
  return (
    <button type="button" className="link" onClick={onSelect}>
      Select {count === 1 ? 'the one that matches' : `all ${count} that match`}
    </button>
  )
}

/** The order on the screen holds while the pointer is over it, unless the user asks for another (`asked` changes). */
function useCalmRows<T extends AnyObject>(wanted: T[], hovered: boolean, asked: string): Row<T>[] {
  const screen = useRef<{ asked: string; rows: Row<T>[] }>({ asked, rows: [] })
  return useMemo(() => {
    const frozen = hovered && screen.current.asked === asked
    const rows = calm(screen.current.rows, wanted, frozen, (row) => row.meta.uid)
    screen.current = { asked, rows }
    return rows
  }, [wanted, hovered, asked])
}

interface RowKeys<T extends AnyObject> {
  rows: Row<T>[]
  current: number
  setCurrent: (index: number) => void
  href?: (row: T) => string
  keys?: Record<string, (row: T) => void>
  onToggle?: (row: T) => void
}

function useRowKeys<T extends AnyObject>({ rows, current, setCurrent, href, keys = {}, onToggle }: RowKeys<T>) {
  const navigate = useNavigate()
  const row = rows[current]?.item
  const own = Object.fromEntries(Object.entries(keys).map(([key, act]) => [key, () => row && act(row)]))
  useKeys({
    j: () => setCurrent(Math.min(current + 1, rows.length - 1)),
    k: () => setCurrent(Math.max(current - 1, 0)),
    x: () => row && onToggle?.(row),
    Enter: () => row && href && void navigate({ to: href(row) }),
    ...own,
  })
}

function BulkBar({ count, onClear, children }: { count: number; onClear: () => void; children: ReactNode }) {
  return (
    <div className="mb-2 flex flex-wrap items-center gap-2" role="toolbar" aria-label="Selected rows">
      <span className="font-medium">{count} selected</span>
      {children}
      <button type="button" className="btn btn-quiet ml-auto" onClick={onClear}>
        Clear
      </button>
    </div>
  )
}
