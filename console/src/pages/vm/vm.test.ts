import { expect, test } from 'vitest'
import type { Vm } from '../../api/types'
import { addressText, connectLines } from './connect'
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

test('forwarded ports become lines to connect with', () => {
  const vm = {
    meta: { name: 'web' },
    spec: { image: 'debian-12', nics: [{ ports: [{ address: '0.0.0.0', host: 2222, guest: 22, protocol: 'tcp' }, { address: '::1', host: 8080, guest: 80, protocol: 'tcp' }] }] },
    status: {},
  } as unknown as Vm
  expect(connectLines(vm, 'tower.example').map((line) => line.text)).toEqual(['ssh -p 2222 debian@tower.example', 'http://[::1]:8080', 'novacron console web'])
})

test('a guest on a bridge is reached at its own address', () => {
  const runtime = { nics: [{ mac: '52:00', bridge: 'br0' }], agent: { addresses: ['192.0.2.7', 'fe80::7'] } }
  const vm = { meta: { name: 'web' }, spec: { image: 'ubuntu-24.04', nics: [{ network: 'lan', ports: [] }] }, status: { runtime } } as unknown as Vm
  expect(connectLines(vm, 'tower.example').map((line) => line.text)).toEqual(['ssh ubuntu@192.0.2.7', 'fe80::7', 'novacron console web'])
})

test('the address of a guest on a bridge is unknown without its agent', () => {
  const vm = (runtime: object) => ({ status: { runtime } }) as unknown as Vm
  const agent = { addresses: ['192.0.2.7', '2001:db8::7'] }
  expect(addressText(vm({ nics: [{ mac: '52:00', bridge: 'br0' }] }))).toBe('unknown (no guest agent)')
  expect(addressText(vm({ nics: [{ mac: '52:00', bridge: 'br0' }], agent }))).toBe('192.0.2.7, 2001:db8::7')
  expect(addressText(vm({ nics: [{ mac: '52:00' }] }))).toBe('–')
  expect(addressText(vm({ nics: [] }))).toBe('–')
})
