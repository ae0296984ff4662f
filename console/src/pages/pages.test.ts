import { expect, test } from 'vitest'
import type { ClusterEvent, Node } from '../api/types'
import { eventMatches } from './events/filter'
import { nameFromFile } from './images/names'
import { capacityOf } from './nodes/capacity'
import { readLabels } from './vms/labels'

test('labels are set and taken away in one line', () => {
  expect(readLabels('tier=web, old- a/b=1')).toEqual({ tier: 'web', old: null, 'a/b': '1' })
  for (const bad of ['', '=x', 'a=b=c', 'a b=c d=é']) expect(typeof readLabels(bad), bad).toBe('string')
})

test('an image is named after its file', () => {
  expect(nameFromFile('https://example.org/a/Debian_12-generic.qcow2?x=1')).toBe('debian-12-generic')
  expect(nameFromFile('micro.tar.gz')).toBe('micro')
})

test('a level lets through itself and what is worse', () => {
  const event = { level: 'warning', text: 'VM paused', kind: 'vm.paused', actor: 'node n1' } as ClusterEvent
  expect(eventMatches(event, '', 'warning')).toBe(true)
  expect(eventMatches(event, 'paused n1', '')).toBe(true)
  expect(eventMatches(event, '', 'error')).toBe(false)
})

test('a node promises its memory less what the host keeps', () => {
  const node = {
    spec: { cpu_overcommit: 4, memory_overcommit: 1, memory_reserved: 2 ** 30 },
    status: { report: { cpus: 2, memory: 4 * 2 ** 30 } },
  } as unknown as Node
  expect(capacityOf(node)).toEqual({ cpu: 8000, memory: 3 * 2 ** 30 })
})
