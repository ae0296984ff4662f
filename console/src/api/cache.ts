// The query cache and how live changes reach it. Lists stay current by the watch stream, so nothing
// is ever stale by age; after a gap in the stream everything is asked for again.
import { QueryClient } from '@tanstack/react-query'
import { applyEvent, applyLive, applyToList, ChangeLog, type Change, type Listing } from './changes'
import { Problem, request } from './client'
import { listPath, objectPath, scopeOf } from './kinds'
import type { AnyObject, ClusterEvent, KindName, Kinds, Page, Task, Unreadable } from './types'

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Infinity,
      gcTime: 10 * 60_000,
      refetchOnWindowFocus: false,
      retry: (count, error) => error instanceof Problem && error.status === 0 && count < 2,
    },
  },
})

const log = new ChangeLog()

export const keys = {
  list: (kind: KindName, project: string) => ['list', kind, scopeOf(kind, project)] as const,
  object: (kind: KindName, project: string, name: string) => ['object', kind, scopeOf(kind, project), name] as const,
  events: (project: string, object = '') => ['events', project, object] as const,
}

const PAGE = 1000
const NEWEST_TASKS = 500

/** Reads a whole list, page by page, then what changed meanwhile. Of tasks only the newest. */
export async function fetchList<K extends KindName>(
  kind: K, project: string, signal?: AbortSignal,
): Promise<Listing<Kinds[K]>> {
  const mark = log.mark
  const items: Kinds[K][] = []
  const unreadable: Unreadable[] = []
  let token: string | null | undefined
  do {
    const query = new URLSearchParams({ limit: String(kind === 'task' ? NEWEST_TASKS : PAGE) })
    if (kind === 'task') query.set('sort', '-created')
    if (token) query.set('page_token', token)
    const page = await request<Page<Kinds[K]>>('GET', `${listPath(kind, project)}?${query}`, { signal })
    items.push(...page.items)
    unreadable.push(...(page.unreadable ?? []))
    token = kind === 'task' ? undefined : page.next_page_token
  } while (token)
  return applyToList<Kinds[K] & AnyObject>({ items, unreadable }, ofList(log.since(mark), kind, scopeOf(kind, project)))
}

export async function fetchObject<K extends KindName>(
  kind: K, project: string, name: string, signal?: AbortSignal,
): Promise<Kinds[K]> {
  const mark = log.mark
  const object = await request<Kinds[K]>('GET', objectPath(kind, project, name), { signal })
  const newer = ofList(log.since(mark), kind, scopeOf(kind, project)).findLast(
    (change) => change.type === 'object' && change.object.meta.name === name,
  )
  return newer?.type === 'object' ? (newer.object as Kinds[K]) : object
}

export async function fetchEvents(project: string, object: string, signal?: AbortSignal): Promise<ClusterEvent[]> {
  const query = new URLSearchParams({ limit: '500' })
  if (object) query.set('object', object)
  const path = `/v1/projects/${encodeURIComponent(project)}/events?${query}`
  return (await request<Page<ClusterEvent>>('GET', path, { signal })).items
}

/** Brings a batch from the watch stream into the cache. */
export function absorb(changes: Change[]): void {
  log.add(changes)
  if (changes.some((change) => change.type === 'reset')) void queryClient.invalidateQueries()
  for (const group of byList(changes)) {
    queryClient.setQueriesData<Listing<AnyObject>>({ queryKey: group.key, exact: true }, (list) =>
      list && applyToList(list, group.changes),
    )
  }
  for (const change of changes) absorbOne(change)
}

function absorbOne(change: Change): void {
  if (change.type === 'object') {
    const key = ['object', change.kind, change.scope, change.object.meta.name]
    if (queryClient.getQueryData(key)) queryClient.setQueryData(key, change.object)
  } else if (change.type === 'gone') {
    void queryClient.resetQueries({ queryKey: ['object', change.kind, change.scope, change.name], exact: true })
  } else if (change.type === 'live') {
    queryClient.setQueriesData<Listing<Task>>({ queryKey: ['list', 'task'] }, (list) =>
      list && applyLive(list, change.task, change.live),
    )
  } else if (change.type === 'event') {
    for (const [key, events] of queryClient.getQueriesData<ClusterEvent[]>({ queryKey: ['events'] })) {
      if (events && concerns(change.event, String(key[1]), String(key[2])))
        queryClient.setQueryData(key, applyEvent(events, change.event))
    }
  }
}

function concerns(event: ClusterEvent, project: string, object: string): boolean {
  if (event.object?.project && event.object.project !== project) return false
  return !object || (event.object != null && object === `${event.object.kind}/${event.object.name}`)
}

function ofList(changes: readonly Change[], kind: KindName, scope: string): Change[] {
  return changes.filter((c) => (c.type === 'object' || c.type === 'gone') && c.kind === kind && c.scope === scope)
}

function byList(changes: readonly Change[]): { key: string[]; changes: Change[] }[] {
  const groups = new Map<string, { key: string[]; changes: Change[] }>()
  for (const change of changes) {
    if (change.type !== 'object' && change.type !== 'gone') continue
    const key = ['list', change.kind, change.scope]
    const group = groups.get(key.join('/')) ?? { key, changes: [] }
    group.changes.push(change)
    groups.set(key.join('/'), group)
  }
  return [...groups.values()]
}

/** An object that an answer of the API brought, unless the stream was faster. */
export function noteObject(kind: KindName, object: AnyObject): void {
  const scope = scopeOf(kind, object.meta.project)
  const known = queryClient.getQueryData<AnyObject>(['object', kind, scope, object.meta.name])
  if (!known || known.meta.revision < object.meta.revision) absorb([{ type: 'object', kind, scope, object }])
}

/** A task that an answer of the API brought, before the stream does. */
export function noteTask(task: Task | undefined): void {
  if (!task?.meta.project) return
  queryClient.setQueryData<Listing<Task>>(keys.list('task', task.meta.project), (list) =>
    list && (list.items.some((known) => known.meta.uid === task.meta.uid) ? list : { ...list, items: [task, ...list.items] }),
  )
}
