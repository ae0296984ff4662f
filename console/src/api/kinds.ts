// Where each kind lives in the API. Knows paths, not transport.
import type { KindName } from './types'

const PLURALS: Record<KindName, string> = {
  vm: 'vms', volume: 'volumes', image: 'images', network: 'networks', snapshot: 'snapshots', task: 'tasks',
  node: 'nodes', pool: 'pools', project: 'projects', token: 'tokens',
}
const CLUSTER_WIDE: ReadonlySet<KindName> = new Set(['node', 'pool', 'project', 'token'])

export const ALL_KINDS = Object.keys(PLURALS) as KindName[]

export function plural(kind: KindName): string {
  return PLURALS[kind]
}

export function isClusterWide(kind: KindName): boolean {
  return CLUSTER_WIDE.has(kind)
}

/** The project part of a cache key: cluster-wide kinds have none. */
export function scopeOf(kind: KindName, project: string | null | undefined): string {
  return isClusterWide(kind) ? '-' : (project ?? 'default')
}

export function listPath(kind: KindName, project: string): string {
  const end = PLURALS[kind]
  return isClusterWide(kind) ? `/v1/${end}` : `/v1/projects/${encodeURIComponent(project)}/${end}`
}

export function objectPath(kind: KindName, project: string, name: string): string {
  return `${listPath(kind, project)}/${encodeURIComponent(name)}`
}

/** Reads a kind from the wire, in the singular or the plural. */
export function readKind(text: string): KindName | undefined {
  return ALL_KINDS.find((kind) => kind === text || PLURALS[kind] === text)
}

/** As written in sentences. */
export function displayKind(kind: string): string {
  return kind === 'vm' ? 'VM' : kind
}

export function displayPlural(kind: KindName): string {
  return kind === 'vm' ? 'VMs' : PLURALS[kind]
}
