// What the palette finds: every page, every object, and everything that can be asked for.
import { lazy } from 'react'
import type { ReactNode } from 'react'
import { useList } from '../../api/queries'
import type { Node, Snapshot, Vm } from '../../api/types'
import { backUpState } from '../../pages/settings/backUpState'
import { setTheme } from '../theme'
import { CreateProject } from './CreateProject'
import { nodeHits } from './nodeHits'
import { projectPlaces, SYSTEM_PLACES } from './Nav'
import type { Hit } from './rank'
import { vmHits } from './vmHits'

const CreateVolume = lazy(() => import('../../pages/volumes/CreateVolume').then((module) => ({ default: module.CreateVolume })))
const ImportImage = lazy(() => import('../../pages/images/ImportImage').then((module) => ({ default: module.ImportImage })))
const ImportPublished = lazy(() => import('../../pages/images/ImportPublished').then((module) => ({ default: module.ImportPublished })))
const ImportVm = lazy(() => import('../../pages/vms/ImportVm').then((module) => ({ default: module.ImportVm })))
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
  const snapshots = useList('snapshot', project).data?.items ?? []
  const nodes = useList('node', '').data?.items ?? []
  const objects = useObjects(project, vms, snapshots, nodes)
  return [...pages(project), ...objects, ...vmHits(project, vms, snapshots, text), ...nodeHits(nodes, text), ...actions(project, doings)]
}

function pages(project: string): Hit[] {
  const places = [...projectPlaces(project), ...SYSTEM_PLACES]
  const pages = places.map(({ to, label, key }) => ({ id: to, what: 'page', name: label, to, keys: key && `g ${key}` }))
  const launch = `/p/${project}/launch`
  return [...pages, { id: launch, what: 'page', name: 'Launch', to: launch, keys: 'c' }]
}

function useObjects(project: string, vms: Vm[], snapshots: Snapshot[], nodes: Node[]): Hit[] {
  const volumes = useList('volume', project).data?.items ?? []
  const images = useList('image', project).data?.items ?? []
  const networks = useList('network', project).data?.items ?? []
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

function actions(project: string, doings: Doings): Hit[] {
  const dialog = (name: string, content: (close: () => void) => ReactNode): Hit => ({ id: name, what: 'action', name, dialog: content })
  const run = (name: string, act: () => void): Hit => ({ id: name, what: 'action', name, run: act })
  return [
    { id: 'launch', what: 'action', name: 'Launch a VM', to: `/p/${project}/launch` },
    dialog('Create a volume', (close) => <CreateVolume project={project} onClose={close} />),
    dialog('Import a VM', (close) => <ImportVm project={project} onClose={close} />),
    dialog('Import an image from a URL', (close) => <ImportImage project={project} onClose={close} />),
    dialog('Import an image from the catalogue', (close) => <ImportPublished project={project} onClose={close} />),
    dialog('Upload an image', (close) => <UploadImage project={project} onClose={close} />),
    dialog('Create a network', (close) => <CreateNetwork project={project} onClose={close} />),
    dialog('Create a pool', (close) => <CreatePool onClose={close} />),
    dialog('Create a token', (close) => <CreateToken onClose={close} />),
    dialog('Create a project', (close) => <CreateProject onClose={close} />),
    run('Back the state up', backUpState),
    run('Keys and help', doings.help),
    run('Light theme', () => setTheme('light')),
    run('Dark theme', () => setTheme('dark')),
    run('Theme as the system', () => setTheme('system')),
    run('Sign out', doings.signOut),
  ]
}
