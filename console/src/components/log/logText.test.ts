import { expect, test } from 'vitest'
import { appendLog, NO_LOG, plain, shownLines } from './logText'

test('a log loses its terminal codes and keeps its words', () => {
  expect(plain('\x1b[32m[  OK  ]\x1b[0m Started \x1b[1mssh\x1b[0m.\r')).toBe('[  OK  ] Started ssh.')
  expect(plain('\x1b]0;title\x07prompt')).toBe('prompt')
})

test('a line that was written over shows what stood last', () => {
  expect(plain('10 %\r50 %\r100 %')).toBe('100 %')
})

test('a line cut between two pieces is one line', () => {
  const log = appendLog(appendLog(NO_LOG, 'one\ntw'), 'o\nthree')
  expect(log.lines).toEqual(['one', 'two'])
  expect(shownLines(log, '')).toEqual(['one', 'two', 'three'])
  expect(shownLines(log, 'TW')).toEqual(['two'])
})

test('a flood keeps the newest lines only', () => {
  const log = appendLog(NO_LOG, Array.from({ length: 20_000 }, (_, n) => `${n}\n`).join(''))
  expect(log.lines.length).toBe(10_000)
  expect(log.lines.at(-1)).toBe('19999')
})
