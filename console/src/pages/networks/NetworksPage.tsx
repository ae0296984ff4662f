// The list of networks: create, delete.
import { useState } from 'react'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Network, Vm } from '../../api/types'
import { useProject } from '../../app/project'
import { ageColumn, nameColumn } from '../../components/cells'
import { CommandLine } from '../../components/Copy'
import { Empty } from '../../components/Page'
import { RowDelete } from '../../components/RowDelete'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { CreateNetwork } from './CreateNetwork'

const WHAT: Record<string, string> = { user: 'user: outbound, and ports forwarded to the host' }

/** Every project has it, and keeps it. */
const FIRST = 'user'

function nicsOn(network: Network, vms: Vm[]): number {
  return vms.flatMap((vm) => vm.spec.nics ?? []).filter((nic) => (nic.network ?? FIRST) === network.meta.name).length
}

function columns(vms: Vm[]): Column<Network>[] {
  return [
    nameColumn(),
    { id: 'kind', title: 'Kind', width: '24rem', sort: (network) => network.spec.kind, cell: (network) => WHAT[network.spec.kind] ?? network.spec.kind },
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
        empty={<Empty text="No networks. Every project begins with one named user." action={create} command={<CommandLine text="novacron network create lan" />} />}
      />
      {creating && <CreateNetwork project={project} onClose={() => setCreating(false)} />}
    </>
  )
}
