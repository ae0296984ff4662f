import { expect, test } from 'vitest'
import type { Snapshot, Vm } from '../../../api/types'
import { currentOf, treeOf } from './tree'

const snapshot = (name: string, minute: number, parent?: string) =>
  ({
    meta: { name: `web.${name}`, created: `2026-01-01T10:0${minute}:00Z` }, spec: { vm: 'web', ...(parent && { parent: `web.${parent}` }) }, status: { state: 'ready' },
  }) as unknown as Snapshot
const lines = (all: Snapshot[]) => treeOf(all).map(({ snapshot, depth, lost }) => `${'>'.repeat(depth)}${snapshot.meta.name.slice(4)}${lost ? ` (${lost})` : ''}`)

test('each stands below the one that it goes on from, whatever the order they come in', () => {
  const all = [snapshot('c', 3, 'a'), snapshot('d', 4, 'b'), snapshot('a', 1), snapshot('b', 2, 'a')]
  expect(lines(all)).toEqual(['a', '>b', '>>d', '>c'])
})

test('one whose parent is gone begins a tree, and says what it went on from', () => {
  expect(lines([snapshot('b', 2, 'a'), snapshot('c', 3, 'b')])).toEqual(['b (a)', '>c'])
})

test('a younger one that got the name of a parent is not the parent', () => {
  expect(lines([snapshot('a', 5, 'b'), snapshot('b', 2, 'a')])).toEqual(['b (a)', '>a'])
})

test('the disks go on from the newest, or from what they went back to since', () => {
  const all = [snapshot('b', 2, 'a'), snapshot('a', 1)]
  const vm = (orders: object) => ({ status: { orders } }) as unknown as Vm
  expect(currentOf(vm({}), all)).toBe('web.b')
  expect(currentOf(vm({ restore_at: '2026-01-01T10:01:30Z', restore_from: 'web.a' }), all)).toBe('web.b')
  expect(currentOf(vm({ restore_at: '2026-01-01T10:03:00Z', restore_from: 'web.a' }), all)).toBe('web.a')
  expect(currentOf(vm({}), [])).toBeUndefined()
})
