import { expect, test } from 'vitest'
import type { AnyObject } from '../../api/types'
import { calm } from './calm'
import { nextSort, sortRows, type Column } from './columns'
import { labelsInUse, matches } from './filter'
import { readListSearch } from './listState'

function object(name: string, labels: Record<string, string> = {}): AnyObject {
  return { meta: { name, uid: name, owner: '', revision: 1, generation: 1, created: '', labels }, spec: {}, status: {} }
}
const names = (rows: AnyObject[]) => rows.map((row) => row.meta.name)

test('every word of the filter must be found somewhere', () => {
  const web = object('web-1', { tier: 'front' })
  expect(matches(web, 'WEB front', [], [])).toBe(true)
  expect(matches(web, 'web running', [], ['running'])).toBe(true)
  expect(matches(web, 'web back', [], [])).toBe(false)
})

test('a label chip holds for the whole value, or for any value without one', () => {
  const web = object('web', { tier: 'front' })
  expect(matches(web, '', ['tier=front'], [])).toBe(true)
  expect(matches(web, '', ['tier=fro'], [])).toBe(false)
  expect(matches(web, '', ['tier'], [])).toBe(true)
  expect(matches(web, '', ['tier=front', 'stage'], [])).toBe(false)
})

test('labels are offered by how many have them', () => {
  const all = [object('a', { x: '1' }), object('b', { x: '2' }), object('c', { x: '2' })]
  expect(labelsInUse(all)).toEqual(['x=2', 'x=1'])
})

test('names with numbers sort as people count', () => {
  const rows = ['vm-10', 'vm-2', 'vm-1'].map((name) => object(name))
  expect(names(sortRows(rows, [], 'name'))).toEqual(['vm-1', 'vm-2', 'vm-10'])
  expect(names(sortRows(rows, [], '-name'))).toEqual(['vm-10', 'vm-2', 'vm-1'])
})

test('equal values fall back to the name', () => {
  const column: Column<AnyObject> = { id: 'size', title: 'Size', cell: () => null, sort: () => 1 }
  expect(names(sortRows([object('b'), object('a')], [column], '-size'))).toEqual(['a', 'b'])
})

test('a second click on a title turns the order round', () => {
  expect(nextSort('name', 'name')).toBe('-name')
  expect(nextSort('-name', 'name')).toBe('name')
})

test('rows under the pointer stay where they are', () => {
  const id = (text: string) => text
  const before = calm([], ['a', 'b', 'c'], false, id)
  const during = calm(before, ['d', 'c', 'a'], true, id)
  expect(during).toEqual([
    { item: 'a', gone: false },
    { item: 'b', gone: true },
    { item: 'c', gone: false },
    { item: 'd', gone: false },
  ])
  expect(calm(during, ['d', 'c', 'a'], false, id).map((row) => row.item)).toEqual(['d', 'c', 'a'])
})

test('a row that comes back under the pointer is no longer marked gone', () => {
  const id = (text: string) => text
  const gone = calm(calm([], ['a'], false, id), [], true, id)
  expect(calm(gone, ['a'], true, id)).toEqual([{ item: 'a', gone: false }])
})

test('the query of the URL keeps only what says something', () => {
  expect(readListSearch({ q: '', sort: '-age', label: 5, junk: { a: 1 } })).toEqual({ sort: '-age', label: '5' })
})
