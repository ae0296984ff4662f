// What a live message means for cached lists: pure functions from (cached, changes) to cached.
// `live` reads the messages, `cache` keeps the results.
import { readKind, scopeOf } from './kinds'
import type { SseMessage } from './sse'
import type { AnyObject, ClusterEvent, KindName, Live, Task, Unreadable } from './types'

export type Change =
  | { type: 'object'; kind: KindName; scope: string; object: AnyObject }
  | { type: 'gone'; kind: KindName; scope: string; name: string }
  | { type: 'live'; task: string; live: Live }
  | { type: 'event'; event: ClusterEvent }
  | { type: 'reset' }

export interface Listing<T> {
  items: T[]
  /** What is there and cannot be read by this version of the server. */
  unreadable?: Unreadable[]
}

/** Reads a message of the multiplexed stream; `undefined` for what the console has no use for. */
export function readChange(message: SseMessage): Change | undefined {
  if (message.event === 'reset') return { type: 'reset' }
  const data = JSON.parse(message.data) as Record<string, unknown>
  if (message.event === 'live') return { type: 'live', task: String(data.task), live: data.live as Live }
  if (message.event === 'event') return { type: 'event', event: (data.event ?? data) as ClusterEvent }
  const kind = readKind(String(data.kind))
  if (!kind) return undefined
  if (message.event === 'object') {
    const object = data.object as AnyObject
    return { type: 'object', kind, scope: scopeOf(kind, object.meta.project), object }
  }
  if (message.event === 'gone') {
    const project = typeof data.project === 'string' ? data.project : undefined
    return { type: 'gone', kind, scope: scopeOf(kind, project), name: String(data.name) }
  }
  return undefined
}

/**
 * Applies changes of one kind and scope. The stream is in order and complete, so a listing that is
 * already ahead of a change is behind for a moment and right again with the changes that follow.
 */
export function applyToList<T extends AnyObject>(list: Listing<T>, changes: readonly Change[]): Listing<T> {
  const byName = new Map(list.items.map((item) => [item.meta.name, item]))
  let changed = false
  for (const change of changes) {
    if (change.type !== 'object' && change.type !== 'gone') continue
    if (change.type === 'object') byName.set(change.object.meta.name, change.object as T)
    else byName.delete(change.name)
    changed = true
  }
  if (!changed) return list
  // What was told anew can be read, or is gone.
  const told = new Set(changes.map((change) => (change.type === 'gone' ? change.name : change.type === 'object' ? change.object.meta.name : '')))
  return { ...list, items: [...byName.values()], unreadable: list.unreadable?.filter(({ name }) => !told.has(name)) }
}

/** Gives a running task its newest progress. */
export function applyLive(list: Listing<Task>, task: string, live: Live): Listing<Task> {
  const index = list.items.findIndex((item) => item.meta.name === task || item.meta.uid === task)
  const found = list.items[index]
  if (!found || found.status.state !== 'running') return list
  const items = list.items.slice()
  items[index] = { ...found, status: { ...found.status, live } }
  return { ...list, items }
}

const EVENTS_KEPT = 2000

/** Puts a new event on top, once. */
export function applyEvent(events: ClusterEvent[], event: ClusterEvent): ClusterEvent[] {
  if (events.some((known) => known.sequence === event.sequence)) return events
  const newer = events.findIndex((known) => known.sequence < event.sequence)
  const at = newer < 0 ? events.length : newer
  return [...events.slice(0, at), event, ...events.slice(at)].slice(0, EVENTS_KEPT)
}

/** The newest changes, so that a listing which was under way while they came can catch up. */
export class ChangeLog {
  private entries: Change[] = []
  private dropped = 0

  /** Counts every change ever added: a mark to read from later. */
  get mark(): number {
    return this.dropped + this.entries.length
  }

  add(changes: readonly Change[]): void {
    this.entries.push(...changes)
    const excess = this.entries.length - 5000
    if (excess > 0) {
      this.entries.splice(0, excess)
      this.dropped += excess
    }
  }

  since(mark: number): readonly Change[] {
    return this.entries.slice(Math.max(0, mark - this.dropped))
  }
}
