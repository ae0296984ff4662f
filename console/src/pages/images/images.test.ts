import { expect, test } from 'vitest'
import type { Image } from '../../api/types'
import { checkedAgainst } from './checksum'

const image = (source: object, sha256?: string, state = 'ready') =>
  ({ spec: { source, sha256 }, status: { state, content: { kind: 'disk', sha256: 'ab' } } }) as unknown as Image

test('a tick is for content that somebody vouched for', () => {
  expect(checkedAgainst(image({ upload: {} }, 'ab'))).toBe('As demanded')
  expect(checkedAgainst(image({ catalogue: 'debian/12' }))).toContain('publisher')
  expect(checkedAgainst(image({ url: 'http://x' }))).toBeUndefined()
  expect(checkedAgainst(image({ upload: {} }, 'cd'))).toBeUndefined()
  expect(checkedAgainst(image({ catalogue: 'debian/12' }, undefined, 'importing'))).toBeUndefined()
})
