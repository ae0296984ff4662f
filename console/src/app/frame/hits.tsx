// What the palette finds: every page, every object, and everything that can be asked for.
import { lazy } from 'react'
import type { ReactNode } from 'react'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Vm } from '../../api/types'
import { verbsFor } from '../../components/state'
import { runVerb } from '../../pages/vms/actions'
import { LabelDialog } from '../../pages/vms/LabelDialog'
import { TakeSnapshot } from '../../pages/vm/snapshots/TakeSnapshot'
import { DeleteDialog } from '../../components/DeleteDialog'
import { setTheme } from '../theme'
import { CreateProject } from './CreateProject'
import { projectPlaces, SYSTEM_PLACES } from './Nav'
import type { Hit } from './rank'

const CreateVolume = lazy(() => import('../../pages/volumes/CreateVolume').then((module) => ({ default: module.CreateVolume })))
const ImportImage = lazy(() => import('../../pages/images/ImportImage').then((module) => ({ default: module.ImportImage })))
const UploadImage = lazy(() => import('../../pages/images/UploadImage').then((module) => ({ default: module.UploadImage })))
const CreateNetwork = lazy(() => import('../../pages/networks/CreateNetwork').then((module) => ({ default: module.CreateNetwork })))
const CreatePool = lazy(() => import('../../pages/pools/CreatePool').then((module) => ({ default: module.CreatePool })))
const CreateToken = lazy(() => import('../../pages/tokens/CreateToken').then((module) => ({ default: module.CreateToken })))

export interface Doings {
  help: () => void
  signOut: () => void
}

export function useHits(project: string, text: string, doings: Doings): Hit[] {
  const vms = useList('vm', project).data?.items ?? []
  return [...pages(project), ...useObjects(project, vms), ...ofVms(project, vms, text), ...actions(project, doings)]
}

function pages(project: string): Hit[] {
  const places = [...projectPlaces(project), ...SYSTEM_PLACES, { to: `/p/${project}/launch`, label: 'Launch' }]
  return places.map((place) => ({ id: place.to, what: 'page', name: place.label, to: place.to }))
}

function useObjects(project: string, vms: Vm[]): Hit[] {
  const volumes = useList('volume', project).data?.items ?? []
  const images = useList('image', project).data?.items ?? []
  const networks = useList('network', project).data?.items ?? []
  const snapshots = useList('snapshot', project).data?.items ?? []
  const nodes = useList('node', '').data?.items ?? []
  const pools = useList('pool', '').data?.items ?? []
  const projects = useList('project', '').data?.items ?? []
  const base = `/p/${project}`
  const hit = (what: string, object: { meta: { name: string; uid: string } }, to: string, state?: string): Hit => ({ id: object.meta.uid, what, name: object.meta.name, to, state })
  return [
    ...vms.map((vm) => hit('VM', vm, `${base}/vms/${vm.meta.name}`, vm.status.state)),
    ...volumes.map((each) => hit('volume', each, `${base}/volumes?q=${each.meta.name}`, each.status.state)),
    ...images.map((each) => hit('image', each, `${base}/images?q=${each.meta.name}`, each.status.state)),
    ...networks.map((each) => hit('network', each, `${base}/networks?q=${each.meta.name}`)),
    ...snapshots.map((each) => hit('snapshot', each, `${base}/vms/${each.spec.vm}/snapshots`, each.status.state)),
    ...nodes.map((each) => hit('node', each, `/nodes/${each.meta.name}`, each.status.state)),
    ...pools.map((each) => hit('pool', each, `/pools?q=${each.meta.name}`, each.status.state)),
    ...projects.map((each) => hit('project', each, `/p/${each.meta.name}`)),
  ]
}

const TABS = ['Serial', 'Screen', 'Hardware', 'Snapshots', 'Logs', 'Events', 'Spec']
const VERBS = ['start', 'stop', 'restart', 'pause', 'resume'] as const
const VMS_MAX = 20

/** Verbs and tabs of the VMs that the text names: of all of them they would bury the rest. */
function ofVms(project: string, vms: readonly Vm[], text: string): Hit[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const named = vms.filter((vm) => words.some((word) => vm.meta.name.includes(word))).slice(0, VMS_MAX)
  return named.flatMap((vm) => {
    const { name, uid } = vm.meta
    const can = verbsFor(vm)
    const dialog = (label: string, content: (close: () => void) => ReactNode): Hit => ({ id: `${label} ${uid}`, what: 'action', name: `${label} ${name}`, dialog: content })
    return [
      ...VERBS.filter((verb) => can[verb]).map((verb) => ({ id: `${verb} ${uid}`, what: 'action', name: `${capital(verb)} ${name}`, run: () => void runVerb([vm], verb) })),
      dialog('Take a snapshot of', (close) => <TakeSnapshot vms={[vm]} onClose={close} />),
      dialog('Label', (close) => <LabelDialog vms={[vm]} onClose={close} />),
      dialog('Delete', (close) => <DeleteDialog targets={[refOf('vm', vm)]} running={can.stop ? [name] : []} onClose={close} />),
      ...TABS.map((tab) => ({ id: `${tab} ${uid}`, what: 'VM', name: `${name} ${tab.toLowerCase()}`, to: `/p/${project}/vms/${name}/${tab.toLowerCase()}` })),
    ]
  })
}

function actions(project: string, doings: Doings): Hit[] {
  const dialog = (name: string, content: (close: () => void) => ReactNode): Hit => ({ id: name, what: 'action', name, dialog: content })
  const run = (name: string, act: () => void): Hit => ({ id: name, what: 'action', name, run: act })
  return [
    { id: 'launch', what: 'action', name: 'Launch a VM', to: `/p/${project}/launch` },
    dialog('Create a volume', (close) => <CreateVolume project={project} onClose={close} />),
    dialog('Import an image', (close) => <ImportImage project={project} onClose={close} />),
    dialog('Upload an image', (close) => <UploadImage project={project} onClose={close} />),
    dialog('Create a network', (close) => <CreateNetwork project={project} onClose={close} />),
    dialog('Create a pool', (close) => <CreatePool onClose={close} />),
    dialog('Create a token', (close) => <CreateToken onClose={close} />),
    dialog('Create a project', (close) => <CreateProject onClose={close} />),
    run('Keys and help', doings.help),
    run('Light theme', () => setTheme('light')),
    run('Dark theme', () => setTheme('dark')),
    run('Theme as the system', () => setTheme('system')),
    run('Sign out', doings.signOut),
  ]
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
