// Cells of the VM list that show what a VM uses.
import { useSummary } from '../../api/summaries'
import type { Vm } from '../../api/types'
import { bytes, usedOf } from '../format'
import { CpuSpark } from './Spark'

export function VmCpu({ vm }: { vm: Vm }) {
  return <CpuSpark summary={useSummary(vm.meta.project ?? 'default', vm.meta.name)} />
}

export function VmMemory({ vm }: { vm: Vm }) {
  const summary = useSummary(vm.meta.project ?? 'default', vm.meta.name)
  const used = summary?.now?.memory
  if (!summary || used === undefined || used === null) return <span className="text-dim">{bytes(vm.spec.memory)}</span>
  return usedOf(used, summary.memory_max)
}
