import { expect, test } from 'vitest'
import { matchKey } from './keyMatch'

const bindings = ['g v', 'g o', 'j', '?', 'Ctrl-K']
const press = (key: string, more = {}) => ({ key, ctrl: false, alt: false, meta: false, ...more })

test('a sequence needs its second key in time', () => {
  const first = matchKey(bindings, press('g'), undefined, 0)
  expect(first.binding).toBeUndefined()
  expect(matchKey(bindings, press('v'), first.pending, 500).binding).toBe('g v')
  expect(matchKey(bindings, press('v'), first.pending, 5000).binding).toBeUndefined()
})

test('a key that completes no sequence counts on its own', () => {
  expect(matchKey(bindings, press('j'), { key: 'g', at: 0 }, 1).binding).toBe('j')
})

test('Ctrl and the command key are the same; Alt belongs to the browser', () => {
  expect(matchKey(bindings, press('k', { ctrl: true }), undefined, 0).binding).toBe('Ctrl-K')
  expect(matchKey(bindings, press('k', { meta: true }), undefined, 0).binding).toBe('Ctrl-K')
  expect(matchKey(bindings, press('j', { alt: true }), undefined, 0).binding).toBeUndefined()
})
