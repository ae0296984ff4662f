import { expect, test } from 'vitest'
import type { Vm } from '../../api/types'
import { addressText, connectLines } from './connect'

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
