// Asks for a verb on one or many VMs, or for protection, and says what could not be asked for.
import { patchVm, vmVerb, type VmVerb } from '../../api/actions'
import { forEachOf } from '../../api/batch'
import { noteObject } from '../../api/cache'
import type { StopRequest, Vm } from '../../api/types'
import { notify, notifyError } from '../../components/notices'

export async function runVerb(vms: readonly Vm[], verb: VmVerb, body?: StopRequest): Promise<void> {
  const failures = await forEachOf(vms, (vm) => vmVerb(vm, verb, body))
  const [first] = failures
  if (first) {
    const more = failures.length > 1 ? ` and ${failures.length - 1} more` : ''
    notifyError(`Cannot ${verb} ${first.item.meta.name}${more}`, first.error)
  }
  const done = vms.length - failures.length
  if (vms.length > 1 && done > 0) notify({ tone: 'ok', title: `Asked ${done} VMs to ${verb}` })
}

/** Against deletion by mistake. */
export async function protect(vm: Vm, on: boolean): Promise<void> {
  try {
    noteObject('vm', await patchVm(vm, { spec: { protected: on } }))
  } catch (error) {
    notifyError(`Cannot change ${vm.meta.name}`, error)
  }
}
