// The list of pools: create, delete.
import { useState } from 'react'
import { useAcross } from '../../api/across'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Pool, Volume } from '../../api/types'
import { useProject } from '../../app/project'
import { ageColumn, Dash, nameColumn } from '../../components/cells'
import { CommandLine, CopyText } from '../../components/Copy'
import { bytes, percent } from '../../components/format'
import { Empty } from '../../components/Page'
import { BulkDelete, RowDelete } from '../../components/RowDelete'
import { StateMark } from '../../components/StateMark'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { CreatePool } from './CreatePool'

/** It is always there. */
const FIRST = 'default'

function Usage({ pool }: { pool: Pool }) {
  const usage = pool.status.usage
  if (!usage) return <Dash />
  const used = usage.total - usage.free
  const share = percent(used, usage.total)
  const tone = share > 95 ? 'bg-bad' : share > 85 ? 'bg-warn' : 'bg-accent'
  return (
    <span className="flex items-center gap-2">
      <span className="h-2 w-24 shrink-0 overflow-hidden rounded-full bg-line" aria-hidden="true">
        <span className={`block h-full ${tone}`} style={{ width: `${share}%` }} />
      </span>
      {bytes(used)} of {bytes(usage.total)}
    </span>
  )
}

/** `volumes` of all projects; absent while they are being read. */
function columns(volumes: Volume[] | undefined): Column<Pool>[] {
  const count = (pool: Pool) => volumes?.filter((volume) => volume.spec.pool === pool.meta.name).length ?? 0
  return [
    { id: 'state', title: 'State', width: '7.5rem', narrow: true, cell: (pool) => <StateMark state={pool.status.state} title={pool.status.reason} /> },
    nameColumn(),
    { id: 'kind', title: 'Kind', width: '5rem', choice: 'shown', cell: (pool) => pool.spec.kind },
    {
      id: 'path', title: 'Directory', width: '17rem', choice: 'shown',
      cell: (pool) => (pool.status.usage ? <CopyText text={pool.status.usage.path} /> : (pool.spec.path ?? <Dash />)),
    },
    { id: 'usage', title: 'Used', width: '15.5rem', sort: (pool) => (pool.status.usage ? 1 - pool.status.usage.free / pool.status.usage.total : 0), cell: (pool) => <Usage pool={pool} /> },
    { id: 'volumes', title: 'Volumes', width: '5rem', right: true, narrow: true, sort: count, cell: (pool) => (volumes ? count(pool) : <Dash />) },
    ageColumn(),
    {
      id: 'actions', title: '', width: '3.5rem', narrow: true, right: true,
      cell: (pool) => pool.meta.name !== FIRST && <RowDelete target={refOf('pool', pool)} />,
    },
  ]
}

export function PoolsPage() {
  const volumes = useAcross('volume', useProject()).data
  const [creating, setCreating] = useState(false)
  const create = (
    <button type="button" className="btn btn-primary" onClick={() => setCreating(true)}>
      Create a pool
    </button>
  )
  return (
    <>
      <ListPage
        title="Pools" id="pools" query={useList('pool', '')} columns={columns(volumes)} actions={create}
        bulk={(rows, clear) => <BulkDelete targets={rows.map((row) => refOf('pool', row))} onDone={clear} />}
        selectable={(pool) => pool.meta.name !== FIRST}
        signature={(pool) => pool.status.state}
        empty={<Empty text="No pools. Every cluster begins with one named default." action={create} command={<CommandLine text="novacron pool create fast --path /srv/novacron" />} />}
      />
      {creating && <CreatePool onClose={() => setCreating(false)} />}
    </>
  )
}
