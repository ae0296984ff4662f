import { expect, test } from 'vitest'
import { applyEvent, applyLive, applyToList, ChangeLog, readChange, type Change } from './changes'
import type { AnyObject, ClusterEvent, Task } from './types'

function object(name: string, spec: unknown = {}): AnyObject {
  const meta = { name, project: 'default', uid: `uid-${name}`, owner: '', revision: 1, generation: 1, created: '2026-01-01T00:00:00Z' }
  return { meta, spec, status: {} }
}

function put(name: string, spec?: unknown): Change {
  return { type: 'object', kind: 'vm', scope: 'default', object: object(name, spec) }
}

test('a change replaces, adds and takes away by name', () => {
  const list = { items: [object('a'), object('b')] }
  const gone: Change = { type: 'gone', kind: 'vm', scope: 'default', name: 'b' }
  const next = applyToList(list, [put('a', { cpus: 4 }), gone, put('c')])
  expect(next.items.map((item) => item.meta.name)).toEqual(['a', 'c'])
  expect(next.items[0]?.spec).toEqual({ cpus: 4 })
})

test('a list without changes stays the same object, so that nothing is drawn anew', () => {
  const list = { items: [object('a')] }
  expect(applyToList(list, [{ type: 'reset' }])).toBe(list)
})

test('the stream speaks of kinds in the singular or the plural', () => {
  const data = JSON.stringify({ kind: 'vms', object: object('a') })
  expect(readChange({ event: 'object', data })).toMatchObject({ type: 'object', kind: 'vm', scope: 'default' })
  const gone = JSON.stringify({ kind: 'node', project: 'default', name: 'n1' })
  expect(readChange({ event: 'gone', data: gone })).toEqual({ type: 'gone', kind: 'node', scope: '-', name: 'n1' })
})

test('what the console does not know is passed over', () => {
  expect(readChange({ event: 'synced', data: '{"revision":3}' })).toBeUndefined()
  expect(readChange({ event: 'object', data: '{"kind":"comet","object":{}}' })).toBeUndefined()
})

test('progress reaches only a task that still runs', () => {
  const running = { ...object('t1'), status: { state: 'running' } } as Task
  const done = { ...object('t2'), status: { state: 'succeeded' } } as Task
  const live = { step: 'downloading', number: 1, of: 3, done: 1, total: 2, log: [] }
  const list = { items: [running, done] }
  expect(applyLive(list, 't1', live).items[0]?.status.live).toEqual(live)
  expect(applyLive(list, 't2', live)).toBe(list)
})

test('events stand newest first, each once', () => {
  const event = (sequence: number) => ({ sequence, text: '' }) as ClusterEvent
  const events = applyEvent([event(5), event(3)], event(4))
  expect(events.map((each) => each.sequence)).toEqual([5, 4, 3])
  expect(applyEvent(events, event(4))).toBe(events)
})

test('the log gives what came after a mark, also when old entries have been dropped', () => {
  const log = new ChangeLog()
  log.add(Array.from({ length: 5000 }, (_, n) => put(`old-${n}`)))
  const mark = log.mark
  log.add([put('new')])
  expect(log.since(mark)).toEqual([put('new')])
})
