// What a node may promise to guests. Pure; the same sums as the scheduler's.
import type { Node } from '../../api/types'
import { bytes, cpus } from '../../components/format'

export interface Capacity {
  /** Thousandths. */
  cpu: number
  memory: number
}

export function capacityOf(node: Node): Capacity {
  const report = node.status.report
  if (!report) return { cpu: 0, memory: 0 }
  return {
    cpu: Math.floor(report.cpus * 1000 * node.spec.cpu_overcommit),
    memory: Math.floor(Math.max(0, report.memory - node.spec.memory_reserved) * node.spec.memory_overcommit),
  }
}

export function totalOf(nodes: readonly Node[]): { used: Capacity; capacity: Capacity } {
  const sum = (pick: (node: Node) => number) => nodes.reduce((total, node) => total + pick(node), 0)
  return {
    used: { cpu: sum((n) => n.status.allocated.cpu), memory: sum((n) => n.status.allocated.memory) },
    capacity: { cpu: sum((n) => capacityOf(n).cpu), memory: sum((n) => capacityOf(n).memory) },
  }
}

/** What the node lacks for another guest of this size; `undefined` when it has room. */
export function roomOn(node: Node, cpu: number, memory: number): string | undefined {
  if (node.status.state !== 'ready') return `is ${node.status.state}`
  const all = capacityOf(node)
  const free = { cpu: Math.max(0, all.cpu - node.status.allocated.cpu), memory: Math.max(0, all.memory - node.status.allocated.memory) }
  if (memory > free.memory) return `${bytes(free.memory)} of memory free`
  if (cpu > free.cpu) return `${cpus(free.cpu)} CPUs free`
  return undefined
}

const SPELLED: Record<string, string> = { kvm: 'KVM', tcg: 'TCG', sim: 'simulation' }

export function acceleratorOf(node: Node): string {
  const drivers = node.status.report?.hypervisors ?? []
  return drivers.map((driver) => SPELLED[driver.accelerator] ?? driver.accelerator).join(', ')
}
