// One node: what it is, what it has promised, what it cannot do, what its daemon logged.
import { useParams } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useObject } from '../../api/queries'
import type { Node } from '../../api/types'
import { bytes, count, cpus, dateTime } from '../../components/format'
import { HourCharts } from '../../components/figures/HourCharts'
import { Facts, Loaded, Meter, Page, Panel, Skeleton } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import { Tabs } from '../../components/Tabs'
import { capacityOf } from './capacity'
import { Held, NodeActions } from './NodeActions'
import { NodeLogs } from './NodeLogs'
import { NodeVms } from './NodeVms'

const NodeSpec = lazy(() => import('./NodeSpec').then((module) => ({ default: module.NodeSpec })))

const TABS: [string, string][] = [
  ['overview', 'Overview'], ['vms', 'VMs'], ['hardware', 'Hardware'], ['logs', 'Logs'], ['spec', 'Spec'],
]
/** Tabs whose content takes the height of the window. */
const FILLING = ['logs', 'spec']

export function NodePage() {
  const { name = '', tab = 'overview' } = useParams({ strict: false })
  const query = useObject('node', '', name)
  return (
    <Page
      title={name} fill={FILLING.includes(tab)} extra={query.data && <StateMark state={query.data.status.state} />}
      actions={query.data && <NodeActions node={query.data} />}
    >
      <Loaded query={query}>
        {(node) => (
          <>
            <Held node={node} />
            <Tabs label="Node" base={`/nodes/${name}`} tabs={TABS} current={tab} />
            <Suspense fallback={<Skeleton />}>
              <Tab tab={tab} node={node} />
            </Suspense>
          </>
        )}
      </Loaded>
    </Page>
  )
}

function Tab({ tab, node }: { tab: string; node: Node }) {
  switch (tab) {
    case 'vms':
      return <NodeVms node={node} />
    case 'hardware':
      return <Hardware node={node} />
    case 'logs':
      return <NodeLogs key={node.meta.uid} node={node} />
    case 'spec':
      return <NodeSpec key={node.meta.uid} node={node} />
    default:
      return <Overview node={node} />
  }
}

function Overview({ node }: { node: Node }) {
  const report = node.status.report
  const { allocated } = node.status
  const capacity = capacityOf(node)
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <HourCharts path={`/v1/nodes/${node.meta.name}`} />
      <Panel title="Promised to guests">
        <div className="space-y-4">
          <Meter label="CPUs" used={allocated.cpu} total={capacity.cpu} text={`${cpus(allocated.cpu)} of ${cpus(capacity.cpu)}`} />
          <Meter label="Memory" used={allocated.memory} total={capacity.memory} text={`${bytes(allocated.memory)} of ${bytes(capacity.memory)}`} />
          <p className="text-dim">
            {count(allocated.vms, 'VM')}. CPU overcommit {node.spec.cpu_overcommit}, memory overcommit {node.spec.memory_overcommit}, {bytes(node.spec.memory_reserved)} kept for the host.
          </p>
        </div>
      </Panel>
      <Panel title="Facts">
        <Facts
          facts={[
            ['Host name', report?.hostname ?? '–'],
            ['Version', report?.version ?? '–'],
            ['Agent since', report ? dateTime(report.started) : '–'],
            ['Created', dateTime(node.meta.created)],
          ]}
        />
      </Panel>
      {report && report.remarks.length > 0 && (
        <Panel title="Worth knowing" className="lg:col-span-2">
          <ul className="list-disc space-y-1 pl-5">
            {report.remarks.map((remark) => (
              <li key={remark}>{remark}</li>
            ))}
          </ul>
        </Panel>
      )}
    </div>
  )
}

function Hardware({ node }: { node: Node }) {
  const report = node.status.report
  if (!report) return <p className="text-dim">The node has not reported yet.</p>
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <Panel title="Machine">
        <Facts facts={[['CPU', report.cpu_model], ['CPUs', report.cpus], ['Memory', bytes(report.memory)], ['Boot', <code key="boot" className="font-mono text-[13px]">{report.boot_id}</code>]]} />
      </Panel>
      {report.hypervisors.map((driver) => (
        <Panel key={driver.driver} title={`${driver.driver} ${driver.version}`}>
          <Facts facts={[['Accelerator', driver.accelerator], ['Because', driver.reason], ['Powers', driver.powers.join(', ').replaceAll('_', ' ')]]} />
        </Panel>
      ))}
    </div>
  )
}
