// The columns of the VM list, and what they say of a VM.
import { Link } from '@tanstack/react-router'
import { Play, Square, SquareTerminal } from 'lucide-react'
import type { PortForward, Vm } from '../../api/types'
import { ageColumn, Dash, Labels } from '../../components/cells'
import { CopyText } from '../../components/Copy'
import { VmCpu, VmMemory } from '../../components/figures/VmCells'
import { StateMark } from '../../components/StateMark'
import { urgency, verbsFor } from '../../components/state'
import type { Column } from '../../components/table/columns'
import { addressUnknown, UNKNOWN_ADDRESS } from '../vm/connect'
import { runVerb } from './actions'
import { VmMenu } from './VmMenu'

export function portText(port: PortForward): string {
  const address = !port.address || port.address === '127.0.0.1' ? '' : `${port.address.includes(':') ? `[${port.address}]` : port.address}:`
  return `${address}${port.host}:${port.guest}${port.protocol === 'udp' ? '/udp' : ''}`
}

export function vmPorts(vm: Vm): PortForward[] {
  return (vm.spec.nics ?? []).flatMap((nic) => nic.ports)
}

export function vmAddresses(vm: Vm): string[] {
  return vm.status.runtime?.agent?.addresses ?? []
}

export function vmTexts(vm: Vm): string[] {
  return [
    vm.status.state, vm.status.placement?.node ?? '', vm.spec.image ?? '', vm.status.runtime?.agent?.os ?? '',
    ...vmAddresses(vm), ...vmPorts(vm).map(portText),
  ]
}

/** What a row shows of the moving world. */
export function vmSignature(vm: Vm): string {
  return [vm.status.state, vm.status.reason, vm.status.placement?.node, ...vmAddresses(vm)].join('|')
}

function NameCell({ vm }: { vm: Vm }) {
  return (
    <>
      <Link
        to="/p/$project/vms/$name" params={{ project: vm.meta.project ?? 'default', name: vm.meta.name }}
        className="block truncate leading-4.5 font-medium hover:text-accent"
      >
        {vm.meta.name}
      </Link>
      <Labels labels={vm.meta.labels} />
    </>
  )
}

function Reach({ vm }: { vm: Vm }) {
  const texts = [...vmAddresses(vm), ...vmPorts(vm).map(portText)]
  const [first, ...rest] = texts
  if (!first) {
    return addressUnknown(vm) ? <span className="text-dim" title={UNKNOWN_ADDRESS}>{UNKNOWN_ADDRESS}</span> : <Dash />
  }
  return (
    <>
      <CopyText text={first} />
      {rest.length > 0 && (
        <span className="text-dim" title={rest.join(', ')}>
          {' '}
          +{rest.length}
        </span>
      )}
    </>
  )
}

function RowActions({ vm }: { vm: Vm }) {
  const verbs = verbsFor(vm)
  const name = vm.meta.name
  const button = 'btn btn-quiet btn-icon h-7 w-7'
  return (
    <span className="flex justify-end">
      {verbs.start || verbs.resume ? (
        <button type="button" className={button} aria-label={`${verbs.resume ? 'Resume' : 'Start'} ${name}`} title={verbs.resume ? 'Resume' : 'Start'} onClick={() => void runVerb([vm], verbs.resume ? 'resume' : 'start')}>
          <Play size={14} aria-hidden="true" />
        </button>
      ) : (
        <button type="button" className={button} aria-label={`Stop ${name}`} title="Stop" disabled={!verbs.stop} onClick={() => void runVerb([vm], 'stop')}>
          <Square size={13} aria-hidden="true" />
        </button>
      )}
      <Link
        to="/p/$project/vms/$name/$tab" params={{ project: vm.meta.project ?? 'default', name, tab: 'serial' }}
        className={`${button} max-md:hidden`} aria-label={`Serial console of ${name}`} title="Serial console"
      >
        <SquareTerminal size={15} aria-hidden="true" />
      </Link>
      <VmMenu vm={vm} className={button} />
    </span>
  )
}

export const VM_COLUMNS: Column<Vm>[] = [
  {
    id: 'state', title: 'State', width: '7rem', narrow: true, sort: (vm) => urgency(vm.status.state),
    cell: (vm) => <StateMark state={vm.status.state} title={vm.status.reason} />,
  },
  { id: 'name', title: 'Name', narrow: true, sort: (vm) => vm.meta.name, cell: (vm) => <NameCell vm={vm} /> },
  {
    id: 'node', title: 'Node', width: '5.5rem', choice: 'shown', sort: (vm) => vm.status.placement?.node ?? '',
    cell: (vm) => vm.status.placement?.node ?? <Dash />,
  },
  { id: 'cpus', title: 'CPUs', width: '4rem', right: true, choice: 'hidden', sort: (vm) => vm.spec.cpus, cell: (vm) => vm.spec.cpus },
  { id: 'cpu', title: 'CPU', width: '7.5rem', right: true, choice: 'shown', cell: (vm) => <VmCpu vm={vm} /> },
  {
    id: 'memory', title: 'Memory', width: '8rem', right: true, choice: 'shown', sort: (vm) => vm.spec.memory,
    cell: (vm) => <VmMemory vm={vm} />,
  },
  { id: 'reach', title: 'IP or ports', width: '8.5rem', choice: 'shown', cell: (vm) => <Reach vm={vm} /> },
  {
    id: 'image', title: 'Image', width: '6.5rem', choice: 'shown', sort: (vm) => vm.spec.image ?? '',
    cell: (vm) => vm.spec.image ?? <Dash />,
  },
  {
    id: 'owner', title: 'Owner', width: '7rem', choice: 'hidden', sort: (vm) => vm.meta.owner, cell: (vm) => vm.meta.owner,
  },
  ageColumn<Vm>(),
  { id: 'actions', title: '', width: '6.75rem', narrowWidth: '4.75rem', narrow: true, right: true, cell: (vm) => <RowActions vm={vm} /> },
]
