import { expect, test } from 'vitest'
import type { Snapshot, Vm } from '../../api/types'
import { moments } from './moments'

const vm = (state: string) => ({ meta: { name: 'web' }, status: { state } }) as unknown as Vm
const snapshot = (name: string, taken: string, state = 'ready') =>
  ({ meta: { name: `web.${name}` }, spec: { vm: 'web' }, status: { state, data: { taken, volumes: [] } } }) as unknown as Snapshot

test('a running VM is exported from a snapshot only, the newest first', () => {
  const all = [snapshot('old', '2026-01-01T10:00:00Z'), snapshot('new', '2026-01-02T10:00:00Z'), snapshot('half', '', 'creating')]
  expect(moments(vm('running'), all).map((each) => each.snapshot)).toEqual(['web.new', 'web.old'])
  expect(moments(vm('running'), [])).toEqual([])
  expect(moments(vm('stopped'), all).map((each) => each.label)).toEqual(['Now', 'Snapshot new', 'Snapshot old'])
  expect(moments(undefined, [])).toEqual([{ label: 'Now' }])
})
