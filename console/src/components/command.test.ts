import { expect, test } from 'vitest'
import { inProject } from './command'

test('a command names its project unless that is assumed', () => {
  expect(inProject('novacron stop web', 'default')).toBe('novacron stop web')
  expect(inProject('novacron vm create web && novacron start web', 'team')).toBe('novacron --project team vm create web && novacron --project team start web')
  expect(inProject('ssh novacron web', 'team')).toBe('ssh novacron web')
})
