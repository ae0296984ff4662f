import { expect, test } from 'vitest'
import { diffLines, shownLines } from './lines'
import { difference, patched, type Json } from './patch'
import { readText, toText } from './text'

test('a difference put on the old value gives the new one', () => {
  const old: Json = { spec: { cpus: 2, nics: [{ ports: [] }], image: 'debian' }, meta: { labels: { a: '1', b: '2' } } }
  const now: Json = { spec: { cpus: 4, nics: [{ ports: [{ host: 1, guest: 2 }] }] }, meta: { labels: { b: '2', c: '' } } }
  const patch = difference(old, now)
  expect(patch).toEqual({ spec: { cpus: 4, nics: [{ ports: [{ host: 1, guest: 2 }] }], image: null }, meta: { labels: { a: null, c: '' } } })
  expect(patched(old, patch ?? null)).toEqual(now)
  expect(difference(old, structuredClone(old))).toBeUndefined()
})

test('text is read as it was written', () => {
  const value: Json = { meta: { labels: { when: '2026-01-01', on: 'yes', port: '22' }, annotations: {} }, spec: { cpus: 2, memory: 2 ** 31, note: 'a: b\n#c' } }
  expect(readText(toText(value))).toEqual({ ok: true, value })
})

test('what is no object of two parts is told, with its line where there is one', () => {
  for (const [text, words] of [['', 'meta and spec'], ['a: 1', '“a”'], ['meta: {}', 'spec is missing'], ['meta: {}\nspec: {}\nx: 1', '“x”']] as const)
    expect(readText(text), text).toMatchObject({ ok: false, message: expect.stringContaining(words) as string })
  expect(readText('meta: {}\nspec:\n  cpus: [1')).toMatchObject({ ok: false, message: expect.stringMatching(/^Line \d+: /) as string })
})

test('changed lines are marked, with a few around them', () => {
  const lines = diffLines('a\nb\nc\n', 'a\nx\nc\nd\n')
  expect(lines.map(({ mark, text }) => mark + text)).toEqual([' a', '-b', '+x', ' c', '+d'])
  const long = Array.from({ length: 20 }, (_, n) => `line ${n}`)
  const shown = shownLines(diffLines(long.join('\n'), long.with(10, 'other').join('\n')))
  expect(shown.map((line) => (line ? line.mark : '…')).join('')).toBe('…   -+   …')
})
