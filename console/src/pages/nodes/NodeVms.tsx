// The VMs of a node, of every project: a host is no project's own.
import type { Node } from '../../api/types'
import { useAcross } from '../../api/across'
import { useProject } from '../../app/project'
import { Loaded } from '../../components/Page'
import { VmLines } from '../vms/VmLines'

export function NodeVms({ node }: { node: Node }) {
  const { name } = node.meta
  const project = useProject()
  return (
    <Loaded query={useAcross('vm', project)}>
      {(vms) => {
        const here = vms.filter((vm) => vm.status.placement?.node === name)
        return here.length > 0 ? <VmLines vms={here} beside={project} /> : <p className="text-dim">No VM is placed here.</p>
      }}
    </Loaded>
  )
}
