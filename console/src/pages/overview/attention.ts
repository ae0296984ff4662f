// What needs a person: failed and waiting VMs, failed tasks, full pools, silent nodes. Pure.
import type { Node, Pool, Task, Vm } from '../../api/types'
import { refHref } from '../tasks/href'

export interface Matter {
  id: string
  state: string
  what: string
  text: string
  to: string
}

interface World {
  project: string
  vms: Vm[]
  tasks: Task[]
  pools: Pool[]
  nodes: Node[]
  now: number
}

const DAY_MS = 86_400_000
const NEARLY_FULL = 0.9
/** A VM that has just been asked for is rightly pending. */
const PENDING_MS = 10_000

export function needsAttention(world: World): Matter[] {
  return [...ofVms(world), ...ofNodes(world.nodes), ...ofPools(world.pools), ...ofTasks(world)]
}

function ofVms({ vms, project, now }: World): Matter[] {
  const wrong = vms.filter((vm) => {
    const { state, reason } = vm.status
    if (state === 'failed') return true
    // A user's own pause has no reason; a full disk's has.
    if (state === 'paused') return reason !== undefined && vm.spec.run !== 'paused'
    return state === 'pending' && now - Date.parse(vm.meta.created) > PENDING_MS
  })
  return wrong.map((vm) => ({
    id: vm.meta.uid,
    state: vm.status.state,
    what: `VM ${vm.meta.name}`,
    text: vm.status.reason ?? 'no reason is known; its events and logs may tell',
    to: `/p/${project}/vms/${vm.meta.name}`,
  }))
}

function ofTasks({ tasks, project, now }: World): Matter[] {
  const failed = tasks.filter(
    (task) => task.status.state === 'failed' && now - Date.parse(task.status.outcome?.finished ?? task.meta.created) < DAY_MS,
  )
  return failed.map((task) => ({
    id: task.meta.uid,
    state: 'failed',
    what: `${task.spec.action} ${task.spec.target.name}`,
    text: task.status.outcome?.error?.message ?? 'the task failed',
    to: refHref(task.spec.target) ?? `/p/${project}/tasks`,
  }))
}

function ofPools(pools: Pool[]): Matter[] {
  return pools.flatMap((pool) => {
    const base = { id: pool.meta.uid, what: `Pool ${pool.meta.name}`, to: '/pools' }
    if (pool.status.state === 'failed') return [{ ...base, state: 'failed', text: pool.status.reason ?? 'cannot be used' }]
    const usage = pool.status.usage
    if (!usage || usage.total === 0) return []
    const share = 1 - usage.free / usage.total
    return share < NEARLY_FULL ? [] : [{ ...base, state: 'warning', text: `${Math.round(share * 100)} % full` }]
  })
}

function ofNodes(nodes: Node[]): Matter[] {
  return nodes
    .filter((node) => node.status.state !== 'ready')
    .map((node) => ({ id: node.meta.uid, state: 'unknown', what: `Node ${node.meta.name}`, text: 'has not reported', to: `/nodes/${node.meta.name}` }))
}
