import { expect, test } from 'vitest'
import { listOf } from './back'

test('an object’s page and its tabs belong to the list', () => {
  expect(listOf('/p/default/vms/web')).toBe('/p/default/vms')
  expect(listOf('/p/default/vms/web/serial')).toBe('/p/default/vms')
  expect(listOf('/nodes/n1/hardware')).toBe('/nodes')
})

test('lists, forms and the overview are not left', () => {
  for (const path of ['/p/default', '/p/default/vms', '/p/default/vms/', '/p/default/launch', '/nodes', '/settings']) expect(listOf(path), path).toBeUndefined()
})
