// The API's shapes under the names that the console uses.

export type KindName =
  | 'vm' | 'volume' | 'image' | 'network' | 'snapshot' | 'task' | 'node' | 'pool' | 'project' | 'token'

export interface Meta {
  name: string
  project?: string
  uid: string
  owner: string
  revision: number
  generation: number
  created: string
  deleting?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

export interface Obj<S = unknown, T = unknown> {
  meta: Meta
  spec: S
  status: T
}
export type AnyObject = Obj

export interface ObjectRef {
  kind: string
  project?: string
  name: string
  uid: string
}

export interface Page<T> {
  items: T[]
  next_page_token?: string
  revision: number
}

export type Run = 'running' | 'stopped' | 'paused'
export type RestartPolicy = 'on_failure' | 'always' | 'never'
export interface Disk {
  name: string
  volume?: string
  size?: number
  pool?: string
  image?: string
  owned?: boolean
}
export interface PortForward {
  address?: string
  host: number
  guest: number
  protocol?: 'tcp' | 'udp'
}
export interface Nic {
  network?: string
  ports?: PortForward[]
}
export interface CloudInit {
  hostname?: string
  ssh_keys?: string[]
  password?: string | { set: boolean }
  user_data?: string
  meta_data?: string
  network_config?: string
}
export interface VmSpec {
  run?: Run
  cpus?: number
  memory?: number
  image?: string
  disks?: Disk[]
  nics?: Nic[]
  cloud_init?: CloudInit
  restart?: RestartPolicy
}
export type VmState =
  | 'pending' | 'creating' | 'starting' | 'running' | 'paused' | 'stopping' | 'stopped' | 'failed' | 'deleting'
export interface GuestAgent {
  version: string
  hostname: string
  os: string
  addresses: string[]
}
export interface Runtime {
  state: VmState
  since: string
  reason?: string
  observed_generation: number
  pid?: number
  started?: string
  restarts?: number
  retry_at?: string
  exit?: { cause: 'guest' | 'requested' | 'crash' | 'host_boot'; time: string; generation: number; detail?: string }
  agent?: GuestAgent
}
export interface VmStatus {
  state: VmState
  reason?: string
  placement?: { node?: string; epoch: number; reason?: string; cpu: number; memory: number } | null
  runtime?: Runtime | null
}
export type Vm = Obj<VmSpec, VmStatus>

export type DiskFormat = 'qcow2' | 'raw'
export interface VolumeStatus {
  state: 'creating' | 'ready' | 'failed' | 'deleting'
  reason?: string
  data?: { ready?: string | null; used: number; error?: string } | null
  attachment?: { vm: string; vm_uid: string } | null
  location?: { node: string } | null
}
export type Volume = Obj<{ size: number; pool: string; format: DiskFormat; image?: string }, VolumeStatus>

export interface ImageSpec {
  source: { url: string } | { upload: Record<string, never> }
  sha256?: string
  pool?: string
  os?: string
}
export interface ImageStatus {
  state: 'importing' | 'ready' | 'failed' | 'deleting'
  reason?: string
  content?: {
    kind: 'disk' | 'bundle'
    ready?: string
    sha256: string
    size: number
    virtual_size: number
    error?: string
  } | null
  location?: { node: string } | null
}
export type Image = Obj<ImageSpec, ImageStatus>

export type Network = Obj<{ kind: 'user' }, Record<string, never>>
export type Project = Obj<{ description: string }, Record<string, never>>

export interface PoolStatus {
  state: 'pending' | 'ready' | 'failed'
  reason?: string
  usage?: { path: string; total: number; free: number; error?: string } | null
}
export type Pool = Obj<{ kind: 'dir'; path?: string }, PoolStatus>

export interface NodeReport {
  version: string
  hostname: string
  boot_id: string
  started: string
  cpus: number
  cpu_model: string
  memory: number
  hypervisors: { driver: string; version: string; accelerator: string; reason: string; powers: string[] }[]
  remarks: string[]
  simulated: boolean
}
export interface NodeStatus {
  state: 'unknown' | 'ready'
  report?: NodeReport | null
  allocated: { cpu: number; memory: number; vms: number }
}
export type Node = Obj<{ cpu_overcommit: number; memory_overcommit: number; memory_reserved: number }, NodeStatus>

export type Token = Obj<
  { purpose: 'api' | 'sign_in' | 'session'; description: string; expires?: string },
  Record<string, never>
>
export interface NewToken {
  meta: Meta
  secret: string
}

export type TaskState = 'running' | 'succeeded' | 'failed' | 'cancelled'
export interface Live {
  step: string
  done: number
  total: number
}
export interface TaskSpec {
  action: string
  target: ObjectRef
  cancel?: boolean
}
export interface TaskStatus {
  state: TaskState
  outcome?: { state: TaskState; finished: string; error?: ApiError } | null
  live?: Live | null
}
export type Task = Obj<TaskSpec, TaskStatus>
export interface ApiError {
  code: string
  message: string
  field?: string
  hint?: string
}

export type Level = 'info' | 'warning' | 'error'
export interface ClusterEvent {
  sequence: number
  time: string
  level: Level
  kind: string
  object?: ObjectRef
  text: string
  actor: string
}

export interface DeletePreview {
  goes: ObjectRef[]
  stays: ObjectRef[]
}
export interface Ticket {
  ticket: string
  url: string
  expires: string
}
export interface Session {
  user: string
  expires?: string
}
export interface System {
  version: string
  node: string
  simulated: boolean
  revision: number
  time: string
  store_free: number
  store_full: boolean
}

/** The object type behind each kind. */
export interface Kinds {
  vm: Vm
  volume: Volume
  image: Image
  network: Network
  snapshot: AnyObject
  task: Task
  node: Node
  pool: Pool
  project: Project
  token: Token
}
