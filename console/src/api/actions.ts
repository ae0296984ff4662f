// What the console can ask for: one function per verb of the API. Each answers once the request is
// accepted; the task that carries it out shows up in the drawer.
import { noteObject, noteTask } from './cache'
import { request, send } from './client'
import { listPath, objectPath } from './kinds'
import type {
  DeletePreview, DiskBus, Image, ImageDraft, KindName, NewToken, Node, NodePatch, ObjectRef, Snapshot, StopRequest, Task,
  Ticket, TicketRequest, Vm, VmDraft, VmPatch, Volume, VolumeDraft,
} from './types'

export type VmVerb = 'start' | 'stop' | 'restart' | 'reset' | 'pause' | 'resume'

export async function vmVerb(vm: Vm, verb: VmVerb, body?: StopRequest): Promise<Task> {
  return begin(vm, verb, body ?? {})
}

/** Puts the disks back to what they were, `stop`: between a stop and a start of a VM that runs. `snapshot` is its name without the VM's. */
export function restoreVm(vm: Vm, snapshot: string, stop: boolean): Promise<Task> {
  return begin(vm, 'restore', { snapshot, stop })
}

/** Makes a VM `name`, from the disks as they are or at a snapshot, which is named without the VM. */
export function cloneVm(vm: Vm, name: string, snapshot: string | undefined, start: boolean): Promise<Task> {
  return begin(vm, 'clone', { name, snapshot, run: start ? 'running' : 'stopped' })
}

async function begin(vm: Vm, verb: string, body: object): Promise<Task> {
  const path = `${objectPath('vm', vm.meta.project ?? '', vm.meta.name)}/${verb}`
  const task = await request<Task>('POST', path, { body })
  noteTask(task)
  return task
}

function create<T>(kind: KindName, project: string, draft: object, key: string = crypto.randomUUID()): Promise<T> {
  return request<T>('POST', listPath(kind, project), { body: draft, headers: { 'idempotency-key': key } })
}

/** The same `key` again makes no second VM. */
export const createVm = (project: string, draft: VmDraft, key: string) => create<Vm>('vm', project, draft, key)

/** `name` is the snapshot's own; the API puts the VM's before it. */
export const createSnapshot = (vm: Vm, name: string) =>
  create<Snapshot>('snapshot', vm.meta.project ?? '', { meta: { name: `${vm.meta.name}.${name}` }, spec: { vm: vm.meta.name } })

export const createVolume = (project: string, draft: VolumeDraft) => create<Volume>('volume', project, draft)

export const createImage = (project: string, draft: ImageDraft) => create<Image>('image', project, draft)

/** On a bridge of the nodes, or without one on the host's own stack. */
export const createNetwork = (project: string, name: string, bridge?: string) =>
  create('network', project, { meta: { name }, spec: bridge === undefined ? { kind: 'user' } : { kind: 'bridge', bridge } })

/** Without a path it lies in each node's data directory. */
export const createPool = (name: string, path?: string) => create('pool', '', { meta: { name }, spec: { kind: 'dir', path } })

export const createProject = (name: string, description: string) =>
  create('project', '', { meta: { name }, spec: { description } })

export const createToken = (name: string, description: string, expires?: string) =>
  create<NewToken>('token', '', { meta: { name }, spec: { purpose: 'api', description, expires } })

/** It grows by itself after this; its state tells. `null` takes a limit away. */
export const patchVolume = (volume: Volume, spec: { size?: number; limits: { iops: number | null; bandwidth: number | null } }) =>
  request<Volume>('PATCH', objectPath('volume', volume.meta.project ?? '', volume.meta.name), { body: { spec } })

/** A guest that runs gets it, or is asked to let go of it, in a task. */
/** Without a `bus` the VM's preset decides. */
export async function attach(project: string, vm: string, volume: string, bus?: DiskBus): Promise<void> {
  noteTask(await request<Task>('POST', `${objectPath('vm', project, vm)}/attach`, { body: { volume, bus } }))
}

export async function detach(project: string, vm: string, volume: string): Promise<void> {
  noteTask(await request<Task>('POST', `${objectPath('vm', project, vm)}/detach`, { body: { volume } }))
}

/** Changes what `vm` says, unless somebody was faster: then the answer is `precondition_failed`. */
export function patchVm(vm: Vm, patch: VmPatch): Promise<Vm> {
  return request<Vm>('PATCH', objectPath('vm', vm.meta.project ?? '', vm.meta.name), {
    body: patch,
    headers: { 'if-match': `"${vm.meta.revision}"` },
  })
}

/** As [`patchVm`], for a node. */
export function patchNode(node: Node, patch: NodePatch): Promise<Node> {
  return request<Node>('PATCH', objectPath('node', '', node.meta.name), {
    body: patch,
    headers: { 'if-match': `"${node.meta.revision}"` },
  })
}

/** Shuts all guests down until the host's next boot, or until they may start again. */
export const stopGuests = (node: Node, how: StopRequest) => ofGuests(node, 'stop-guests', how)

export const startGuests = (node: Node) => ofGuests(node, 'start-guests', {})

async function ofGuests(node: Node, verb: string, body: object): Promise<void> {
  noteObject('node', await request<Node>('POST', `${objectPath('node', '', node.meta.name)}/${verb}`, { body }))
}

/** Asks for the machine again that the running guest has. */
export function revertVm(vm: Vm): Promise<Vm> {
  return request<Vm>('POST', `${objectPath('vm', vm.meta.project ?? '', vm.meta.name)}/revert`, { body: {} })
}

/** Sets labels; `null` takes one away. */
export async function setLabels(
  kind: KindName, project: string, name: string, labels: Record<string, string | null>,
): Promise<void> {
  await request('PATCH', objectPath(kind, project, name), { body: { meta: { labels } } })
}

export function previewDelete(ref: ObjectRef, signal?: AbortSignal): Promise<DeletePreview> {
  return request<DeletePreview>('DELETE', `${refPath(ref)}?dry_run=true`, { signal })
}

export async function remove(ref: ObjectRef, options: { force: boolean; unprotect: boolean }): Promise<void> {
  const task = await request<Task | undefined>('DELETE', `${refPath(ref)}?force=${options.force}&unprotect=${options.unprotect}`)
  if (task?.meta) noteTask(task)
}

function refPath(ref: ObjectRef): string {
  return objectPath(ref.kind as KindName, ref.project ?? '', ref.name)
}

export async function cancelTask(task: Task): Promise<void> {
  await request('POST', `${objectPath('task', task.meta.project ?? '', task.meta.name)}/cancel`)
}

export function openTicket(project: string, vm: string, stream: TicketRequest['stream']): Promise<Ticket> {
  return request<Ticket>('POST', `${objectPath('vm', project, vm)}/tickets`, { body: { stream } })
}

/** `object`: path of what the log is of. */
export function logPath(object: string, source: string | undefined, tail: number, follow: boolean): string {
  const query = new URLSearchParams({ ...(source && { source }), tail: String(tail) })
  if (follow) query.set('follow', 'true')
  return `${object}/logs?${query}`
}

/** Where the file of an object's export comes from. */
export function exportPath(object: string, choice: { format?: string; snapshot?: string }): string {
  const query = new URLSearchParams({ ...(choice.format && { format: choice.format }), ...(choice.snapshot && { snapshot: choice.snapshot }) }).toString()
  return `${object}/export${query && `?${query}`}`
}

export async function signIn(code: string): Promise<void> {
  await send('POST', '/v1/session', { body: { code } })
}

export async function signOut(): Promise<void> {
  await send('DELETE', '/v1/session')
}
