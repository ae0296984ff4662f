// React's view of the cache: hooks that read lists, objects, events, the session and the system.
import { queryOptions, useQuery } from '@tanstack/react-query'
import { fetchEvents, fetchList, fetchObject, keys } from './cache'
import { request } from './client'
import type { Catalogue, KindName, Session, System } from './types'

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => request<Session>('GET', '/v1/session', { signal }),
})

export const systemQuery = queryOptions({
  queryKey: ['system'],
  queryFn: ({ signal }) => request<System>('GET', '/v1/system', { signal }),
})

/** Read once: it changes with the server's settings. */
export const catalogueQuery = queryOptions({
  queryKey: ['catalogue'],
  queryFn: ({ signal }) => request<Catalogue>('GET', '/v1/catalogue', { signal }),
  staleTime: Infinity,
  retry: false,
})

export function useList<K extends KindName>(kind: K, project: string) {
  return useQuery({
    queryKey: keys.list(kind, project),
    queryFn: ({ signal }) => fetchList(kind, project, signal),
  })
}

export function useObject<K extends KindName>(kind: K, project: string, name: string) {
  return useQuery({
    queryKey: keys.object(kind, project, name),
    queryFn: ({ signal }) => fetchObject(kind, project, name, signal),
  })
}

/** Newest first. `object` is `vm/web`, or empty for all of the project. */
export function useEvents(project: string, object = '') {
  return useQuery({
    queryKey: keys.events(project, object),
    queryFn: ({ signal }) => fetchEvents(project, object, signal),
  })
}
