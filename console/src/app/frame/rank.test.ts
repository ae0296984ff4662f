import { expect, test } from 'vitest'
import { rank } from './rank'

const hits = ['my-web', 'web-2', 'web', 'db', 'Stop web'].map((name) => ({ id: name, what: name.includes(' ') ? 'action' : 'VM', name, to: `/${name}` }))
const names = (text: string) => rank(hits, text).map((hit) => hit.name)

test('whole names come before beginnings, and these before the rest', () => {
  expect(names('WEB ')).toEqual(['web', 'web-2', 'my-web', 'Stop web'])
})

test('a kind with a name finds what it names', () => {
  expect(names('vm db')).toEqual(['db'])
})

test('words are found in any order', () => {
  expect(names('web stop')).toEqual(['Stop web'])
})
