import { expect, test } from 'vitest'
import type { Snapshot } from '../../../api/types'
import { branchesFrom } from './names'

const snapshot = (name: string, parent?: string) => ({ meta: { name: `web.${name}` }, spec: { vm: 'web', ...(parent && { parent: `web.${parent}` }) } }) as Snapshot

test('only a branch says what it goes on from', () => {
  const [one, two, three] = [snapshot('one'), snapshot('two', 'one'), snapshot('three', 'one')]
  expect(branchesFrom(one, undefined)).toBeUndefined()
  expect(branchesFrom(two, one)).toBeUndefined()
  expect(branchesFrom(three, two)).toBe('one')
})
