import { expect, test } from 'vitest'
import { Problem } from './client'
import { passes } from './upload'

const problem = (code: string, status = 0, field?: string) => new Problem({ status, code, message: 'x', field })

test('an upload goes on after what passes, and ends with what does not', () => {
  expect(passes(problem('unreachable'))).toBe(true)
  expect(passes(problem('unavailable', 503))).toBe(true)
  expect(passes(problem('http_502', 502))).toBe(true)
  expect(passes(problem('conflict', 409, 'Upload-Offset'))).toBe(true)
  expect(passes(problem('conflict', 409))).toBe(false)
  expect(passes(problem('storage_full', 507))).toBe(false)
  expect(passes(problem('invalid', 422, 'spec.sha256'))).toBe(false)
  expect(passes(problem('http_413', 413))).toBe(false)
})
