import { expect, test } from 'vitest'
import type { ClusterEvent, Node, Snapshot, Task, Vm, Volume } from '../api/types'
import { eventMatches } from './events/filter'
import { nameFromFile } from './images/names'
import { imageUsers, usersText } from './images/users'
import { capacityOf, roomOn } from './nodes/capacity'
import { eventsDuring, taskLog, timeLeft } from './tasks/story'
import { readLabels } from './vms/labels'
import { snapshotCounts } from './volumes/snapshots'

test('labels are set and taken away in one line', () => {
  expect(readLabels('tier=web, old- a/b=1')).toEqual({ tier: 'web', old: null, 'a/b': '1' })
  for (const bad of ['', '=x', 'a=b=c', 'a b=c d=é']) expect(typeof readLabels(bad), bad).toBe('string')
})

test('an image is named after its file', () => {
  expect(nameFromFile('https://example.org/a/Debian_12-generic.qcow2?x=1')).toBe('debian-12-generic')
  expect(nameFromFile('micro.tar.gz')).toBe('micro')
})

test('an image is used by VMs and by volumes', () => {
  const from = (...images: (string | undefined)[]) => images.map((image) => ({ spec: { image } }))
  const users = imageUsers(from('debian', 'debian', undefined) as Vm[], from('debian', 'micro') as Volume[])
  expect(usersText(users('debian'))).toBe('2 VMs, 1 volume')
  expect(usersText(users('micro'))).toBe('1 volume')
  expect(usersText(users('unused'))).toBe('')
})

test('a volume is held by the snapshots that cover it', () => {
  const covers = (...volumes: string[]) => ({ status: { data: { volumes } } }) as unknown as Snapshot
  const creating = { status: {} } as unknown as Snapshot
  const held = snapshotCounts([covers('web-root', 'data'), covers('web-root'), creating])
  expect(['web-root', 'data', 'other'].map(held)).toEqual([2, 1, 0])
})

test('a level lets through itself and what is worse', () => {
  const event = { level: 'warning', text: 'VM paused', kind: 'vm.paused', actor: 'node n1' } as ClusterEvent
  expect(eventMatches(event, '', 'warning')).toBe(true)
  expect(eventMatches(event, 'paused n1', '')).toBe(true)
  expect(eventMatches(event, '', 'error')).toBe(false)
})

test('a task’s story is what happened to its target, and not to another of its name, while it ran', () => {
  const task = (finished?: string) =>
    ({
      meta: { created: '2026-01-01T10:00:00Z' }, spec: { target: { kind: 'vm', name: 'web', uid: 'a' } }, status: { outcome: finished && { finished } },
    }) as unknown as Task
  const event = (uid: string, time: string) => ({ time: `2026-01-01T${time}Z`, object: { kind: 'vm', name: 'web', uid } }) as ClusterEvent
  const events = [event('a', '10:05:00'), event('b', '10:01:00'), event('a', '10:00:30'), event('a', '09:59:59')]
  expect(eventsDuring(task('2026-01-01T10:01:00Z'), events)).toEqual([events[2]])
  expect(eventsDuring(task(), events)).toEqual([events[0], events[2]])
})

test('a task’s log comes with its progress until it is stored', () => {
  const [line, last] = [{ time: '2026-01-01T10:00:00Z', text: 'downloading' }, { time: '2026-01-01T10:01:00Z', text: 'checking' }]
  const task = (log: object[], live?: object) => ({ status: { log, live } }) as unknown as Task
  expect(taskLog(task([], { log: [line] }))).toEqual([line])
  expect(taskLog(task([line, last]))).toEqual([line, last])
  expect(taskLog(task([]))).toEqual([])
})

test('the time that is left follows from the pace of the running step', () => {
  const begun = '2026-01-01T10:00:00Z'
  const live = { step: 'downloading', number: 1, of: 3, done: 25, total: 100, log: [{ time: begun, text: 'downloading' }] }
  const at = (seconds: number) => Date.parse(begun) + seconds * 1000
  expect(timeLeft(live, at(10))).toBe(30_000)
  expect(timeLeft(live, at(1)), 'too early to tell').toBeUndefined()
  expect(timeLeft({ ...live, total: 0 }, at(10))).toBeUndefined()
  expect(timeLeft({ ...live, log: [] }, at(10))).toBeUndefined()
})

test('a node promises its memory less what the host keeps', () => {
  const node = {
    spec: { cpu_overcommit: 4, memory_overcommit: 1, memory_reserved: 2 ** 30 },
    status: { report: { cpus: 2, memory: 4 * 2 ** 30 } },
  } as unknown as Node
  expect(capacityOf(node)).toEqual({ cpu: 8000, memory: 3 * 2 ** 30 })
})

test('a node has room until its memory or its CPUs are promised', () => {
  const node = {
    spec: { cpu_overcommit: 1, memory_overcommit: 1, memory_reserved: 0 },
    status: { state: 'ready', report: { cpus: 2, memory: 4 * 2 ** 30 }, allocated: { cpu: 1000, memory: 2 ** 30 } },
  } as unknown as Node
  expect(roomOn(node, 1000, 3 * 2 ** 30)).toBeUndefined()
  expect(roomOn(node, 1000, 4 * 2 ** 30)).toBe('3 GiB of memory free')
  expect(roomOn(node, 2000, 2 ** 30)).toBe('1 CPUs free')
})
