// One VM: its head with what can be done, and its tabs.
import { useNavigate, useParams } from '@tanstack/react-router'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { asProblem } from '../../api/client'
import { useObject } from '../../api/queries'
import type { Vm } from '../../api/types'
import { Loaded, Page, Skeleton } from '../../components/Page'
import { sentence } from '../../components/Problem'
import { StateMark } from '../../components/StateMark'
import { Tabs } from '../../components/Tabs'
import { useFlash } from '../../components/hooks'
import { CopyText } from '../../components/Copy'
import { vmAddresses } from '../vms/columns'
import { Pending } from './Pending'
import { VmActions } from './VmActions'
import { VmEvents } from './VmEvents'
import { VmLogs } from './VmLogs'
import { VmOverview } from './VmOverview'

const Serial = lazy(() => import('./Serial').then((module) => ({ default: module.Serial })))
const Screen = lazy(() => import('./Screen').then((module) => ({ default: module.Screen })))
const VmHardware = lazy(() => import('./hardware/VmHardware').then((module) => ({ default: module.VmHardware })))
const VmSnapshots = lazy(() => import('./snapshots/VmSnapshots').then((module) => ({ default: module.VmSnapshots })))
const VmSpec = lazy(() => import('./VmSpec').then((module) => ({ default: module.VmSpec })))

const TABS: [string, string][] = [
  ['overview', 'Overview'], ['serial', 'Serial'], ['screen', 'Screen'], ['hardware', 'Hardware'], ['snapshots', 'Snapshots'],
  ['logs', 'Logs'], ['events', 'Events'], ['spec', 'Spec'],
]
/** Tabs whose content takes the height of the window. */
const FILLING = ['serial', 'screen', 'logs', 'spec']

export function VmPage() {
  const { project = 'default', name = '', tab = 'overview' } = useParams({ strict: false })
  const query = useObject('vm', project, name)
  const navigate = useNavigate()
  const missing = query.error !== null && asProblem(query.error).code === 'not_found'
  // A server that is away for a while takes nothing from the page: what was typed into its forms stays.
  const vm = missing ? undefined : query.data
  return (
    <Page
      title={name} fill={FILLING.includes(tab)} extra={vm && <Head vm={vm} />}
      actions={vm && <VmActions vm={vm} onDeleted={() => void navigate({ to: '/p/$project/vms', params: { project } })} />}
    >
      {missing && (
        <p>
          It may have been deleted.{' '}
          <Link to="/p/$project/vms" params={{ project }} className="link">
            All VMs
          </Link>
          , or press / to search.
        </p>
      )}
      <Loaded query={{ ...query, data: vm }}>
        {(current) => (
          <>
            <Reason vm={current} />
            <Pending vm={current} />
            <Tabs label="VM" base={`/p/${project}/vms/${name}`} tabs={TABS} current={tab} />
            <Suspense fallback={<Skeleton />}>
              <Tab tab={tab} vm={current} />
            </Suspense>
          </>
        )}
      </Loaded>
    </Page>
  )
}

function Tab({ tab, vm }: { tab: string; vm: Vm }) {
  switch (tab) {
    case 'serial':
      return <Serial key={vm.meta.uid} vm={vm} />
    case 'screen':
      return <Screen key={vm.meta.uid} vm={vm} />
    case 'hardware':
      return <VmHardware key={vm.meta.uid} vm={vm} />
    case 'snapshots':
      return <VmSnapshots key={vm.meta.uid} vm={vm} />
    case 'spec':
      return <VmSpec key={vm.meta.uid} vm={vm} />
    case 'logs':
      return <VmLogs key={vm.meta.uid} vm={vm} />
    case 'events':
      return <VmEvents vm={vm} />
    default:
      return <VmOverview vm={vm} />
  }
}

function Head({ vm }: { vm: Vm }) {
  const flash = useFlash(vm.status.state)
  return (
    <>
      <span className={`rounded px-1 ${flash}`} aria-live="polite">
        <StateMark state={vm.status.state} />
      </span>
      {vm.status.placement?.node && (
        <span className="text-dim">
          on{' '}
          <Link to="/nodes/$name" params={{ name: vm.status.placement.node }} className="link">
            {vm.status.placement.node}
          </Link>
        </span>
      )}
      {vmAddresses(vm).slice(0, 1).map((address) => (
        <CopyText key={address} text={address} />
      ))}
      {Object.entries(vm.meta.labels ?? {}).map(([key, value]) => (
        <span key={key} className="chip">
          {value ? `${key}=${value}` : key}
        </span>
      ))}
    </>
  )
}

function Reason({ vm }: { vm: Vm }) {
  if (!vm.status.reason) return null
  const bad = vm.status.state === 'failed'
  return <p className={`mb-3 rounded-md px-3 py-2 ${bad ? 'bg-bad-soft text-bad' : 'bg-warn-soft text-warn'}`}>{sentence(vm.status.reason)}</p>
}
