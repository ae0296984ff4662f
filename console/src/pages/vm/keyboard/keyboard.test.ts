import type RFB from '@novnc/novnc'
import { expect, test } from 'vitest'
import { CODES, LAYOUTS, type Layout, type LayoutId } from './layouts'
import { pressesOf } from './presses'
import { typePresses } from './typeText'

const IDS = Object.keys(LAYOUTS) as LayoutId[]
const words = (text: string, id: LayoutId) =>
  pressesOf(text, id).presses.map(({ code, shift, altgr }) => [shift && 'Shift', altgr && 'AltGr', code].filter(Boolean).join('+'))

test('a layout has a place for each character, and no row is longer than its keys', () => {
  for (const id of IDS) {
    const { plain, shift, altgr, both }: Layout = LAYOUTS[id]
    for (const rows of [plain, shift, altgr, both]) rows?.forEach((row, index) => expect(Array.from(row).length, `${id}: ${row}`).toBeLessThanOrEqual(CODES[index]?.length ?? 0))
    for (const rows of [plain, shift]) rows.forEach((row, index) => expect(Array.from(row).length, `${id}: ${row}`).toBe(CODES[index]?.length))
  }
})

test('whatever a command line needs can be typed on every layout', () => {
  const ascii = Array.from({ length: 95 }, (_, n) => String.fromCharCode(32 + n)).join('')
  for (const id of IDS) expect(pressesOf(`${ascii}\n\t`, id).missing, id).toEqual([])
})

test('the same text is other keys on another layout', () => {
  expect(words('z/@', 'us')).toEqual(['KeyZ', 'Slash', 'Shift+Digit2'])
  expect(words('z/@', 'de')).toEqual(['KeyY', 'Shift+Digit7', 'AltGr+KeyQ'])
  expect(words('a1m', 'fr')).toEqual(['KeyQ', 'Shift+Digit1', 'Semicolon'])
  expect(words('#"\\', 'gb')).toEqual(['Backslash', 'Shift+Digit2', 'IntlBackslash'])
  expect(words('{ñ', 'es')).toEqual(['AltGr+Quote', 'Semicolon'])
  expect(words('{@', 'it')).toEqual(['Shift+AltGr+BracketLeft', 'AltGr+Semicolon'])
})

test('a key that waits for the next one gets a space, or the letter it is to mark', () => {
  expect(words('^', 'de')).toEqual(['Backquote', 'Space'])
  expect(words('é', 'de')).toEqual(['Equal', 'KeyE'])
  expect(words('é', 'fr')).toEqual(['Digit2'])
  expect(words('ê', 'fr')).toEqual(['BracketLeft', 'KeyE'])
  expect(words('É', 'es')).toEqual(['Quote', 'Shift+KeyE'])
})

test('lines end with Enter, however the clipboard ends them, and what has no key is told', () => {
  expect(words('a\r\nb', 'us')).toEqual(['KeyA', 'Enter', 'KeyB'])
  expect(pressesOf('naïve €', 'us').missing).toEqual(['ï', '€'])
  expect(pressesOf('€', 'de').presses[0]?.keysym).toBe(0x010020ac)
})

test('what is held goes down before the key and up after it; nothing more is pressed once it is given up', async () => {
  const sent: string[] = []
  const rfb = { sendKey: (_: number, code: string, down?: boolean) => sent.push(`${code}${down === undefined ? '' : down ? ' down' : ' up'}`) } as unknown as RFB
  const abort = new AbortController()
  const stop = (done: number) => done === 1 && abort.abort()
  await typePresses(rfb, pressesOf('{x', 'it').presses, stop, abort.signal)
  expect(sent).toEqual(['ShiftLeft down', 'AltRight down', 'BracketLeft', 'AltRight up', 'ShiftLeft up'])
})
