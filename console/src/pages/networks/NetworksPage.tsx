// The list of networks.
import { useList } from '../../api/queries'
import type { Network, Vm } from '../../api/types'
import { useProject } from '../../app/project'
import { ageColumn, nameColumn } from '../../components/cells'
import { Empty } from '../../components/Page'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'

const WHAT: Record<string, string> = { user: 'user: outbound, and ports forwarded to the host' }

function nicsOn(network: Network, vms: Vm[]): number {
  return vms.flatMap((vm) => vm.spec.nics ?? []).filter((nic) => (nic.network ?? 'user') === network.meta.name).length
}

function columns(vms: Vm[]): Column<Network>[] {
  return [
    nameColumn(),
    { id: 'kind', title: 'Kind', width: '24rem', sort: (network) => network.spec.kind, cell: (network) => WHAT[network.spec.kind] ?? network.spec.kind },
    { id: 'nics', title: 'NICs', width: '5rem', right: true, narrow: true, sort: (network) => nicsOn(network, vms), cell: (network) => nicsOn(network, vms) },
    ageColumn(),
  ]
}

export function NetworksPage() {
  const project = useProject()
  const vms = useList('vm', project).data?.items ?? []
  return (
    <ListPage
      title="Networks" id="networks" query={useList('network', project)} columns={columns(vms)}
      empty={<Empty text="No networks. Every project begins with one named user." />}
    />
  )
}
