import { expect, test } from 'vitest'
import type { Node } from '../../api/types'
import { holdOf } from './hold'

const node = (hold: object | undefined, boot = 'b1') => ({ status: { hold, report: { boot_id: boot } } }) as unknown as Node

test('a hold ends with the boot it is for, or when guests may start again', () => {
  const hold = { number: 1, boot_id: 'b1', since: '2026-01-01T10:00:00Z' }
  expect(holdOf(node(hold))).toBe(hold)
  expect(holdOf(node(hold, 'b2'))).toBeUndefined()
  expect(holdOf(node({ ...hold, released: true }))).toBeUndefined()
  expect(holdOf(node(undefined))).toBeUndefined()
  expect(holdOf({ status: { hold } } as unknown as Node)).toBeUndefined()
})
