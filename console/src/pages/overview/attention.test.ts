import { expect, test } from 'vitest'
import type { Node, Pool, Task, Vm } from '../../api/types'
import { needsAttention } from './attention'

const now = Date.parse('2026-01-02T00:00:00Z')
const meta = (name: string) => ({ name, project: 'default', uid: name, created: '2026-01-01T23:00:00Z' })
const vm = (name: string, state: string, reason?: string, run = 'running') => ({ meta: meta(name), spec: { run }, status: { state, reason } }) as unknown as Vm

function matters(parts: { vms?: Vm[]; tasks?: unknown[]; pools?: unknown[]; nodes?: unknown[] }): string[] {
  const world = { project: 'default', now, vms: parts.vms ?? [], tasks: (parts.tasks ?? []) as Task[], pools: (parts.pools ?? []) as Pool[], nodes: (parts.nodes ?? []) as Node[] }
  return needsAttention(world).map((matter) => matter.what)
}

test('a VM that runs or was stopped needs nobody', () => {
  expect(matters({ vms: [vm('a', 'running'), vm('b', 'stopped')] })).toEqual([])
})

test('failed and waiting VMs do, and one that a full disk paused', () => {
  const vms = [vm('a', 'failed'), vm('b', 'pending', 'no room'), vm('c', 'paused', 'the pool is full'), vm('d', 'paused', undefined, 'paused')]
  expect(matters({ vms })).toEqual(['VM a', 'VM b', 'VM c'])
})

test('a failed task does for a day', () => {
  const task = (name: string, finished: string) => ({
    meta: meta(name), spec: { action: 'stop', target: { kind: 'vm', name, uid: name } }, status: { state: 'failed', outcome: { finished } },
  })
  expect(matters({ tasks: [task('new', '2026-01-01T12:00:00Z'), task('old', '2025-12-30T12:00:00Z')] })).toEqual(['stop new'])
})

test('a pool does when it is nearly full', () => {
  const pool = (name: string, free: number) => ({ meta: meta(name), status: { state: 'ready', usage: { total: 100, free } } })
  expect(matters({ pools: [pool('full', 5), pool('fine', 50)] })).toEqual(['Pool full'])
})
