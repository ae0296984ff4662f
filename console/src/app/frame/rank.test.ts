import { expect, test } from 'vitest'
import { rank } from './rank'

const hits = ['my-web', 'web-2', 'web', 'db'].map((name) => ({ what: 'VM', name, to: `/${name}` }))

test('whole names come before beginnings, and these before the rest', () => {
  expect(rank(hits, 'WEB ').map((hit) => hit.name)).toEqual(['web', 'web-2', 'my-web'])
})

test('a kind with a name finds what it names', () => {
  expect(rank(hits, 'vm db').map((hit) => hit.name)).toEqual(['db'])
})
