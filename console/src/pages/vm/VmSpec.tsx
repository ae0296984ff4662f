// A VM's spec as YAML.
import { patchVm } from '../../api/actions'
import type { Vm, VmPatch } from '../../api/types'
import { SpecTab } from '../../components/spec/SpecTab'

export function VmSpec({ vm }: { vm: Vm }) {
  return <SpecTab kind="vm" object={vm} command={`novacron edit ${vm.meta.name}`} save={(base, patch) => patchVm(base, patch as VmPatch)} />
}
