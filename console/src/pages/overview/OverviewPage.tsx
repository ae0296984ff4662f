// The first page: what needs a person, how full the cluster is, what happened last.
import { Link } from '@tanstack/react-router'
import { Check } from 'lucide-react'
import { useNodeFigures } from '../../api/figures'
import { useEvents, useList } from '../../api/queries'
import type { Node, Pool, Vm } from '../../api/types'
import { newestFirst } from '../../app/frame/drawerTasks'
import { useProject } from '../../app/project'
import { CommandLine } from '../../components/Copy'
import { bytes, count, cpus } from '../../components/format'
import { useNow } from '../../components/hooks'
import { Empty, Loaded, Meter, Page, Panel } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import { EventList } from '../events/EventList'
import { acceleratorOf, totalOf } from '../nodes/capacity'
import { taskMark, TaskProgress, TaskTarget, took } from '../tasks/parts'
import { needsAttention, type Matter } from './attention'

export function OverviewPage() {
  const project = useProject()
  const vms = useList('vm', project)
  const tasks = useList('task', project)
  const pools = useList('pool', '')
  const nodes = useList('node', '')
  const matters = needsAttention({
    project, vms: vms.data?.items ?? [], tasks: tasks.data?.items ?? [], pools: pools.data?.items ?? [], nodes: nodes.data?.items ?? [],
    now: useNow(),
  })
  const known = vms.data && tasks.data && pools.data && nodes.data
  return (
    <Page title="Overview">
      <div className="grid gap-4 lg:grid-cols-2">
        <Panel title="Needs attention" className="lg:col-span-2">
          <Loaded query={{ data: known && matters, error: vms.error ?? tasks.error ?? pools.error ?? nodes.error, refetch: () => vms.refetch() }} rows={2}>
            {(list) => <Matters matters={list} />}
          </Loaded>
        </Panel>
        <Panel title="Promised to guests">
          <Loaded query={nodes} rows={3}>
            {(list) => <Capacity nodes={list.items} pools={pools.data?.items ?? []} />}
          </Loaded>
        </Panel>
        <Panel title="VMs" actions={<Link to="/p/$project/vms" params={{ project }} className="link">All VMs</Link>}>
          <Loaded query={vms} rows={3}>
            {(list) => <VmCounts vms={list.items} project={project} />}
          </Loaded>
        </Panel>
        <Panel title="Nodes" actions={<Link to="/nodes" className="link">All nodes</Link>}>
          <Loaded query={nodes} rows={2}>
            {(list) => (
              <>
                <InUse />
                <NodeLines nodes={list.items} />
              </>
            )}
          </Loaded>
        </Panel>
        <Panel title="Last tasks" actions={<Link to="/p/$project/tasks" params={{ project }} className="link">All tasks</Link>}>
          <LastTasks project={project} />
        </Panel>
        <Panel title="Last events" className="lg:col-span-2" actions={<Link to="/p/$project/events" params={{ project }} className="link">All events</Link>}>
          <LastEvents project={project} />
        </Panel>
      </div>
    </Page>
  )
}

const MATTERS_SHOWN = 8

function Matters({ matters }: { matters: Matter[] }) {
  if (matters.length === 0)
    return (
      <p className="flex items-center gap-2 text-ok">
        <Check size={16} aria-hidden="true" /> Nothing does.
      </p>
    )
  return (
    <ul className="space-y-1.5">
      {matters.slice(0, MATTERS_SHOWN).map((matter) => (
        <li key={matter.id} className="flex flex-wrap gap-x-3">
          <span className="w-24 shrink-0">
            <StateMark state={matter.state} />
          </span>
          <Link to={matter.to} className="link shrink-0">
            {matter.what}
          </Link>
          <span className="min-w-0 flex-1 basis-60 text-dim">{matter.text}</span>
        </li>
      ))}
      {matters.length > MATTERS_SHOWN && <li className="text-dim">and {matters.length - MATTERS_SHOWN} more</li>}
    </ul>
  )
}

function Capacity({ nodes, pools }: { nodes: Node[]; pools: Pool[] }) {
  const { used, capacity } = totalOf(nodes)
  return (
    <div className="space-y-4">
      <Meter label="CPUs" used={used.cpu} total={capacity.cpu} text={`${cpus(used.cpu)} of ${cpus(capacity.cpu)}`} />
      <Meter label="Memory" used={used.memory} total={capacity.memory} text={`${bytes(used.memory)} of ${bytes(capacity.memory)}`} />
      {pools.map((pool) => {
        const usage = pool.status.usage
        if (!usage) return null
        const full = usage.total - usage.free
        return <Meter key={pool.meta.uid} label={`Pool ${pool.meta.name}`} used={full} total={usage.total} text={`${bytes(full)} of ${bytes(usage.total)}`} />
      })}
    </div>
  )
}

function VmCounts({ vms, project }: { vms: Vm[]; project: string }) {
  if (vms.length === 0)
    return <Empty text="No VMs yet." action={<Link to="/p/$project/launch" params={{ project }} className="btn btn-primary">Launch the first one</Link>} command={<CommandLine text="novacron launch micro hello" />} />
  const states = Map.groupBy(vms, (vm) => vm.status.state)
  return (
    <ul className="grid grid-cols-2 gap-2">
      {[...states].sort((a, b) => b[1].length - a[1].length).map(([state, members]) => (
        <li key={state}>
          <Link to="/p/$project/vms" params={{ project }} search={{ state }} className="flex items-baseline gap-3 rounded-md p-2 hover:bg-hover">
            <span className="text-2xl font-semibold">{members.length}</span>
            <StateMark state={state} />
          </Link>
        </li>
      ))}
    </ul>
  )
}

/** What all nodes together use now. */
function InUse() {
  const items = useNodeFigures().data?.items.filter((item) => item.now) ?? []
  // Of a node that has just started no rate is known yet: that is no zero.
  const rated = items.filter((item) => item.now?.cpu != null)
  const sum = (of: (item: (typeof items)[number]) => number | null | undefined, all = items) => all.reduce((total, item) => total + (of(item) ?? 0), 0)
  const [cpu, cpuMax] = [sum((item) => item.now?.cpu, rated), sum((item) => item.cpus, rated) * 1000]
  const [memory, memoryMax] = [sum((item) => item.now?.memory), sum((item) => item.memory_max)]
  if (items.length === 0) return null
  return (
    <div className="mb-4 space-y-4">
      {rated.length > 0 && <Meter label="CPU in use" used={cpu} total={cpuMax} text={`${cpus(cpu)} of ${count(cpuMax / 1000, 'CPU')}`} />}
      <Meter label="Memory in use" used={memory} total={memoryMax} text={`${bytes(memory)} of ${bytes(memoryMax)}`} />
    </div>
  )
}

function NodeLines({ nodes }: { nodes: Node[] }) {
  return (
    <ul className="space-y-1.5">
      {nodes.slice(0, 8).map((node) => (
        <li key={node.meta.uid} className="flex gap-3">
          <span className="w-20 shrink-0">
            <StateMark state={node.status.state} />
          </span>
          <Link to="/nodes/$name" params={{ name: node.meta.name }} className="link min-w-0 flex-1 truncate">
            {node.meta.name}
          </Link>
          <span className="text-dim">{acceleratorOf(node)}</span>
          <span className="w-16 text-right">{count(node.status.allocated.vms, 'VM')}</span>
        </li>
      ))}
    </ul>
  )
}

function LastTasks({ project }: { project: string }) {
  const now = useNow()
  const query = useList('task', project)
  return (
    <Loaded query={query} rows={3}>
      {(list) => (
        <ul className="space-y-1.5">
          {newestFirst(list.items).slice(0, 6).map((task) => (
            <li key={task.meta.uid} className="flex gap-3">
              <span className="w-24 shrink-0">{taskMark(task)}</span>
              <span className="min-w-0 flex-1 truncate">
                {task.spec.action} <TaskTarget task={task} />
              </span>
              <TaskProgress task={task} />
              <span className="text-dim">{took(task, now)}</span>
            </li>
          ))}
          {list.items.length === 0 && <li className="text-dim">No tasks yet.</li>}
        </ul>
      )}
    </Loaded>
  )
}

function LastEvents({ project }: { project: string }) {
  const query = useEvents(project)
  return (
    <Loaded query={query} rows={3}>
      {(events) => (events.length === 0 ? <p className="text-dim">Nothing has happened yet.</p> : <div className="-mx-3"><EventList events={events.slice(0, 8)} brief /></div>)}
    </Loaded>
  )
}
