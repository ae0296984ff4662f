import { expect, test } from 'vitest'
import { age, bytes, bytesFlag, parseBytes, span } from './format'

test('sizes show one decimal at most, as the command line shows them', () => {
  expect(bytes(2 * 2 ** 30)).toBe('2 GiB')
  expect(bytes(1536 * 2 ** 20)).toBe('1.5 GiB')
  expect(bytes(1023)).toBe('1023 B')
})

test('sizes are read as people write them', () => {
  expect(parseBytes('512MiB')).toBe(512 * 2 ** 20)
  expect(parseBytes(' 1.5 GiB ')).toBe(1.5 * 2 ** 30)
  expect(parseBytes('20', 'GiB')).toBe(20 * 2 ** 30)
  expect(parseBytes('10GB')).toBe(10e9)
  for (const bad of ['', 'GiB', '-1GiB', '1e9', '1.x', '4 parsecs']) expect(parseBytes(bad), bad).toBeUndefined()
})

test('a size as a flag is exact', () => {
  expect(bytesFlag(4 * 2 ** 30)).toBe('4GiB')
  expect(bytesFlag(1536 * 2 ** 20)).toBe('1536MiB')
  expect(bytesFlag(1000)).toBe('1000')
})

test('spans and ages use the units that matter', () => {
  expect(span(0)).toBe('< 1 s')
  expect(span(61_000)).toBe('1 min')
  expect(span((3 * 24 + 4) * 3_600_000)).toBe('3 d 4 h')
  expect(age('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:05Z'))).toBe('just now')
  expect(age('2026-01-01T00:00:00Z', Date.parse('2026-01-03T01:00:00Z'))).toBe('2 d')
})
