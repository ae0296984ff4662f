// What the palette offers for the VMs that a text names: of all of them their verbs and tabs would bury the rest.
import { lazy, type ReactNode } from 'react'
import { refOf } from '../../api/refs'
import type { Snapshot, Vm } from '../../api/types'
import { DeleteDialog } from '../../components/DeleteDialog'
import { verbsFor } from '../../components/state'
import { ExportVm } from '../../pages/exports/ExportVm'
import { protect, runVerb } from '../../pages/vms/actions'
import { CloneVm } from '../../pages/vms/CloneVm'
import { HarshDialog } from '../../pages/vms/HarshDialog'
import { LabelDialog } from '../../pages/vms/LabelDialog'
import { ownName, snapshotsOf } from '../../pages/vm/snapshots/names'
import { TakeSnapshot } from '../../pages/vm/snapshots/TakeSnapshot'
import { namedBy, type Hit } from './rank'

const RestoreDialog = lazy(() => import('../../pages/vm/snapshots/RestoreDialog').then((module) => ({ default: module.RestoreDialog })))

const TABS = ['Serial', 'Screen', 'Hardware', 'Snapshots', 'Logs', 'Events', 'Spec']
const VERBS = { start: 'Start', stop: 'Stop', restart: 'Restart', pause: 'Pause', resume: 'Resume' } as const

export function vmHits(project: string, vms: readonly Vm[], snapshots: readonly Snapshot[], text: string): Hit[] {
  return namedBy(text, vms).flatMap((vm) => [...verbs(vm), ...dialogs(vm), ...restores(vm, snapshots), ...tabs(project, vm)])
}

function verbs(vm: Vm): Hit[] {
  const { name, uid } = vm.meta
  const can = verbsFor(vm)
  const hit = (label: string, run: () => void): Hit => ({ id: `${label} ${uid}`, what: 'action', name: `${label} ${name}`, run })
  const possible = (Object.keys(VERBS) as (keyof typeof VERBS)[]).filter((verb) => can[verb])
  return [
    ...possible.map((verb) => hit(VERBS[verb], () => void runVerb([vm], verb))),
    vm.spec.protected ? hit('Lift the protection of', () => void protect(vm, false)) : hit('Protect', () => void protect(vm, true)),
  ]
}

function dialogs(vm: Vm): Hit[] {
  const { name, uid } = vm.meta
  const can = verbsFor(vm)
  const hit = (label: string, dialog: (close: () => void) => ReactNode): Hit => ({ id: `${label} ${uid}`, what: 'action', name: `${label} ${name}`, dialog })
  return [
    ...(can.restart ? [hit('Reset', (close) => <HarshDialog vm={vm} verb="reset" onClose={close} />)] : []),
    ...(can.stop ? [hit('Cut the power of', (close) => <HarshDialog vm={vm} verb="cut" onClose={close} />)] : []),
    hit('Take a snapshot of', (close) => <TakeSnapshot vms={[vm]} onClose={close} />),
    hit('Clone', (close) => <CloneVm vm={vm} onClose={close} />),
    hit('Export', (close) => <ExportVm vm={vm} onClose={close} />),
    hit('Label', (close) => <LabelDialog vms={[vm]} onClose={close} />),
    hit('Delete', (close) => <DeleteDialog targets={[refOf('vm', vm)]} running={can.stop ? [name] : []} unprotect={vm.spec.protected} onClose={close} />),
  ]
}

function restores(vm: Vm, snapshots: readonly Snapshot[]): Hit[] {
  const ready = snapshotsOf(vm, snapshots).filter((each) => each.status.state === 'ready')
  return ready.map((snapshot) => ({
    id: `restore ${snapshot.meta.uid}`, what: 'action', name: `Restore ${vm.meta.name} to ${ownName(snapshot)}`,
    dialog: (close) => <RestoreDialog vm={vm} snapshot={snapshot} onClose={close} />,
  }))
}

function tabs(project: string, vm: Vm): Hit[] {
  const { name, uid } = vm.meta
  return TABS.map((tab) => ({ id: `${tab} ${uid}`, what: 'VM', name: `${name} ${tab.toLowerCase()}`, to: `/p/${project}/vms/${name}/${tab.toLowerCase()}` }))
}
