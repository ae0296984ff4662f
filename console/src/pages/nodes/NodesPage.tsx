// The list of nodes.
import { Link } from '@tanstack/react-router'
import { useNodeFigures } from '../../api/figures'
import { useList } from '../../api/queries'
import type { Node } from '../../api/types'
import { Dash } from '../../components/cells'
import { CpuSpark } from '../../components/figures/Spark'
import { bytes, cpus, usedOf } from '../../components/format'
import { CommandLine } from '../../components/Copy'
import { Empty } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { acceleratorOf, capacityOf } from './capacity'
import { holdOf } from './hold'

const HELD = 'guests kept down'

const COLUMNS: Column<Node>[] = [
  { id: 'state', title: 'State', width: '7.5rem', narrow: true, sort: (node) => node.status.state, cell: (node) => <StateMark state={node.status.state} /> },
  {
    id: 'name', title: 'Name', narrow: true, sort: (node) => node.meta.name,
    cell: (node) => (
      <>
        <Link to="/nodes/$name" params={{ name: node.meta.name }} className="font-medium hover:text-accent">
          {node.meta.name}
        </Link>
        {holdOf(node) && <span className="ml-2 text-warn">{HELD}</span>}
      </>
    ),
  },
  { id: 'accelerator', title: 'Runs on', width: '6rem', choice: 'shown', sort: acceleratorOf, cell: (node) => acceleratorOf(node) || <Dash /> },
  {
    id: 'cpu', title: 'CPUs promised', width: '9rem', right: true, choice: 'shown', sort: (node) => node.status.allocated.cpu,
    cell: (node) => `${cpus(node.status.allocated.cpu)} of ${cpus(capacityOf(node).cpu)}`,
  },
  {
    id: 'memory', title: 'Memory promised', width: '10.5rem', right: true, choice: 'shown', sort: (node) => node.status.allocated.memory,
    cell: (node) => `${bytes(node.status.allocated.memory)} of ${bytes(capacityOf(node).memory)}`,
  },
  { id: 'use', title: 'CPU', width: '7.5rem', right: true, choice: 'shown', cell: (node) => <NodeCpu name={node.meta.name} /> },
  { id: 'used', title: 'Memory', width: '8rem', right: true, choice: 'shown', cell: (node) => <NodeMemory name={node.meta.name} /> },
  { id: 'vms', title: 'VMs', width: '5rem', right: true, narrow: true, sort: (node) => node.status.allocated.vms, cell: (node) => node.status.allocated.vms },
  { id: 'version', title: 'Version', width: '7rem', choice: 'shown', cell: (node) => node.status.report?.version ?? <Dash /> },
]

function useFiguresOf(name: string) {
  return useNodeFigures().data?.items.find((item) => item.name === name)
}

function NodeCpu({ name }: { name: string }) {
  return <CpuSpark summary={useFiguresOf(name)} />
}

function NodeMemory({ name }: { name: string }) {
  const figures = useFiguresOf(name)
  const used = figures?.now?.memory
  return figures && used !== undefined && used !== null ? usedOf(used, figures.memory_max) : <Dash />
}

export function NodesPage() {
  return (
    <ListPage
      title="Nodes" id="nodes" query={useList('node', '')} columns={COLUMNS} href={(node) => `/nodes/${node.meta.name}`}
      texts={(node) => [node.status.state, acceleratorOf(node), node.status.report?.hostname ?? '', holdOf(node) ? HELD : '']}
      signature={(node) => [node.status.state, node.status.allocated.vms, holdOf(node)?.number].join('|')}
      empty={<Empty text="No node has reported yet. The daemon reports its own as it starts." command={<CommandLine text="novacron doctor" />} />}
    />
  )
}
