// The API's shapes under the names that the console uses. `schema.d.ts` is generated from the server's
// OpenAPI document (`npm run types`); nothing here restates it.
import type { components } from './schema'

type S = components['schemas']

/**
 * A shape as the server sends it: what has a default is always there, and only what may be null may
 * be missing.
 */
type Sent<T> = T extends readonly (infer U)[]
  ? Sent<U>[]
  : T extends object
    ? { [K in keyof T as null extends T[K] ? never : K]-?: Sent<T[K]> } & { [K in keyof T as null extends T[K] ? K : never]?: Sent<T[K]> }
    : T

export type KindName =
  | 'vm' | 'volume' | 'image' | 'network' | 'snapshot' | 'task' | 'node' | 'pool' | 'project' | 'token'

/** An empty set of labels is left out. */
export type Meta = Sent<Omit<S['Meta'], 'labels' | 'annotations'>> & Pick<S['Meta'], 'labels' | 'annotations'>
export interface Obj<Spec = unknown, Status = unknown> {
  meta: Meta
  spec: Spec
  status: Status
}
export type AnyObject = Obj
export type ObjectRef = S['ObjectRef']

export interface Page<T> {
  items: T[]
  next_page_token?: string | null
  revision: number
  unreadable?: Unreadable[]
}
export type Unreadable = S['Unreadable']

export type Vm = Obj<Sent<S['VmSpec']>, Sent<S['VmStatus']>>
export type VmDraft = S['VmDraft']
export type VmPatch = S['VmPatch']
export type VmSpec = S['VmSpec']
export type VmState = S['VmState']
export type CloudInit = S['CloudInit']
export type Disk = S['Disk']
export type Nic = S['Nic']
export type Cdrom = S['Cdrom']
export type Firmware = S['Firmware']
export type Preset = S['Preset']
export type PortForward = S['PortForward']
export type RestartPolicy = S['RestartPolicy']

export type Volume = Obj<Sent<S['VolumeSpec']>, Sent<S['VolumeStatus']>>
export type VolumeDraft = S['VolumeDraft']
export type Image = Obj<Sent<S['ImageSpec']>, Sent<S['ImageStatus']>>
export type ImageDraft = S['ImageDraft']
export type Catalogue = S['Catalogue']
export type CatalogueEntry = S['CatalogueEntry']
export type Network = Obj<Sent<S['NetworkSpec']>, Sent<S['NetworkStatus']>>
export type Project = Obj<Sent<S['ProjectSpec']>>
export type Pool = Obj<Sent<S['PoolSpec']>, Sent<S['PoolStatus']>>
export type Node = Obj<Sent<S['NodeSpec']>, Sent<S['NodeStatus']>>
export type NodePatch = S['NodePatch']
export type Token = Obj<Sent<S['TokenSpec']>>
export type NewToken = S['NewToken']
export type Snapshot = Obj<Sent<S['SnapshotSpec']>, Sent<S['SnapshotStatus']>>

export type Figure = S['Figure']
export type Figures = S['Figures']
export type FigureSummary = S['FigureSummary']
export type FigureList = S['FigureList']

export type Task = Obj<Sent<S['TaskSpec']>, Sent<S['TaskStatus']>>
export type TaskState = S['TaskState']
export type Live = Sent<S['Live']>
export type LogLine = S['LogLine']

export type Level = S['Level']
export type ClusterEvent = Sent<S['Event']>

export type DiskBus = S['DiskBus']

export type DeletePreview = S['DeletePreview']
export type StopRequest = S['StopRequest']
export type Ticket = S['Ticket']
export type TicketRequest = S['TicketRequest']
export type Session = S['Session']
export type System = S['System']

/** The object type behind each kind. */
export interface Kinds {
  vm: Vm
  volume: Volume
  image: Image
  network: Network
  snapshot: Snapshot
  task: Task
  node: Node
  pool: Pool
  project: Project
  token: Token
}
