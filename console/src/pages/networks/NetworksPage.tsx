// The list of networks: create, delete.
import { useState } from 'react'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Network, Vm } from '../../api/types'
import { useProject } from '../../app/project'
import { ageColumn, Dash, nameColumn } from '../../components/cells'
import { CommandLine } from '../../components/Copy'
import { Empty } from '../../components/Page'
import { BulkDelete, RowDelete } from '../../components/RowDelete'
import { StateMark } from '../../components/StateMark'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { CreateNetwork } from './CreateNetwork'

/** Every project has it, and keeps it. */
const FIRST = 'user'

function nicsOn(network: Network, vms: Vm[]): number {
  return vms.flatMap((vm) => vm.spec.nics ?? []).filter((nic) => (nic.network ?? FIRST) === network.meta.name).length
}

/** How many of the nodes that have looked can use it, and what the first other one lacks. */
function NodesReady({ network }: { network: Network }) {
  const { nodes, reason } = network.status
  if (network.spec.kind === 'user') return 'all'
  const ready = nodes.filter((node) => node.ready).length
  const missing = nodes.filter((node) => !node.ready).map((node) => node.reason ?? node.node)
  return (
    <span title={missing.join('\n') || undefined}>
      {ready} of {nodes.length}
      {reason && <span className="text-warn"> · {reason}</span>}
    </span>
  )
}

function columns(vms: Vm[]): Column<Network>[] {
  return [
    nameColumn(),
    { id: 'state', title: 'State', width: '7.5rem', narrow: true, cell: (network) => <StateMark state={network.status.state} title={network.status.reason} /> },
    { id: 'kind', title: 'Kind', width: '6rem', sort: (network) => network.spec.kind, cell: (network) => network.spec.kind },
    { id: 'bridge', title: 'Bridge', width: '9rem', sort: (network) => network.spec.bridge ?? '', cell: (network) => network.spec.bridge ?? <Dash /> },
    { id: 'ready', title: 'Nodes ready', width: '20rem', sort: (network) => network.status.state, cell: (network) => <NodesReady network={network} /> },
    { id: 'nics', title: 'NICs', width: '5rem', right: true, narrow: true, sort: (network) => nicsOn(network, vms), cell: (network) => nicsOn(network, vms) },
    ageColumn(),
    {
      id: 'actions', title: '', width: '3.5rem', narrow: true, right: true,
      cell: (network) => network.meta.name !== FIRST && <RowDelete target={refOf('network', network)} />,
    },
  ]
}

export function NetworksPage() {
  const project = useProject()
  const vms = useList('vm', project).data?.items ?? []
  const [creating, setCreating] = useState(false)
  const create = (
    <button type="button" className="btn btn-primary" onClick={() => setCreating(true)}>
      Create a network
    </button>
  )
  return (
    <>
      <ListPage
        title="Networks" id="networks" query={useList('network', project)} columns={columns(vms)} actions={create}
        bulk={(rows, clear) => <BulkDelete targets={rows.map((row) => refOf('network', row))} onDone={clear} />}
        selectable={(network) => network.meta.name !== FIRST}
        signature={(network) => `${network.status.state} ${network.status.reason ?? ''}`}
        empty={<Empty text="No networks. Every project begins with one named user." action={create} command={<CommandLine text="novacron network create lan --bridge br0" />} />}
      />
      {creating && <CreateNetwork project={project} onClose={() => setCreating(false)} />}
    </>
  )
}
