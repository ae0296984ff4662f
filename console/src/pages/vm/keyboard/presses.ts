// A text as presses of keys, for a guest that is set to a layout. Pure.
import { CODES, LAYOUTS, type Layout, type LayoutId } from './layouts'

/** One key that goes down and up, with what is held meanwhile. */
export interface Press {
  /** What a server is told that knows no places of keys. */
  keysym: number
  code: string
  shift?: boolean
  altgr?: boolean
}

const CONTROL: Record<string, Press> = {
  '\n': { keysym: 0xff0d, code: 'Enter' },
  '\t': { keysym: 0xff09, code: 'Tab' },
  ' ': { keysym: 0x20, code: 'Space' },
}
const SPACE = { keysym: 0x20, code: 'Space' }

/** The mark that a dead key puts on the letter after it, and the key's own name in X11. */
const MARKS: Record<string, { mark: string; keysym: number }> = {
  '`': { mark: '\u0300', keysym: 0xfe50 },
  '´': { mark: '\u0301', keysym: 0xfe51 },
  '^': { mark: '\u0302', keysym: 0xfe52 },
  '¨': { mark: '\u0308', keysym: 0xfe57 },
}

/** The presses, or the characters that no key of the layout gives. */
export function pressesOf(text: string, id: LayoutId): { presses: Press[]; missing: string[] } {
  const keys = keysOf(LAYOUTS[id])
  const presses: Press[] = []
  const missing = new Set<string>()
  for (const char of text.replace(/\r\n?/g, '\n').normalize('NFC')) {
    const found = keys.get(char) ?? composed(char, keys)
    if (found) presses.push(...found)
    else missing.add(char)
  }
  return { presses, missing: [...missing] }
}

function keysOf(layout: Layout): Map<string, Press[]> {
  const keys = new Map<string, Press[]>(Object.entries(CONTROL).map(([char, press]) => [char, [press]]))
  const levels = [
    [layout.plain, {}], [layout.shift, { shift: true }], [layout.altgr, { altgr: true }], [layout.both, { shift: true, altgr: true }],
  ] as const
  for (const [rows, held] of levels) {
    for (const [row, text] of (rows ?? []).entries()) {
      for (const [column, char] of Array.from(text).entries()) {
        const code = CODES[row]?.[column]
        if (char === ' ' || !code || keys.has(char)) continue
        const dead = layout.dead?.includes(char) ? MARKS[char] : undefined
        const press = { keysym: dead?.keysym ?? keysym(char), code, ...held }
        keys.set(char, dead ? [press, SPACE] : [press])
        if (dead) keys.set(dead.mark, [press])
      }
    }
  }
  return keys
}

/** `é` where there is a key for `´` and one for `e`. */
function composed(char: string, keys: Map<string, Press[]>): Press[] | undefined {
  const [letter = '', mark = '', ...rest] = char.normalize('NFD')
  const dead = keys.get(mark)
  const base = keys.get(letter)
  return dead && base && rest.length === 0 ? [...dead, ...base] : undefined
}

/** X11's name for a character: of Latin 1 its own number, of the rest with a mark before it. */
function keysym(char: string): number {
  const point = char.codePointAt(0) ?? 0
  return point < 0x100 ? point : 0x0100_0000 | point
}
