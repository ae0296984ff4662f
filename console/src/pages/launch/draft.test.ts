import { expect, test } from 'vitest'
import { cliLine, EMPTY_FORM, proposeName, readForm, readPorts } from './draft'

const form = { ...EMPTY_FORM, image: 'debian-12', name: 'web' }

test('the command line says the same as the form', () => {
  const full = { ...form, cpus: '4', memory: '4 GiB', disk: '20', ports: '8080:80, 53:53/udp', restart: 'always' as const, labels: 'tier=web' }
  expect(cliLine(full, true)).toBe(
    'novacron launch debian-12 web --cpus 4 --memory 4GiB --disk 20GiB --port 8080:80 --port 53:53/udp --restart always --label tier=web --no-ssh-key',
  )
})

test('restart policies are spelled as the command line does', () => {
  expect(cliLine({ ...form, restart: 'never' }, true)).toContain('--restart never')
  expect(cliLine(form, true)).not.toContain('--restart')
})

test('an image without a disk gets none', () => {
  expect(cliLine(form, false)).not.toContain('--disk')
  expect(readForm(form, false).draft.spec.disks).toBeUndefined()
})

test('without an image a VM gets an empty disk, and nothing for a guest to read', () => {
  const empty = { ...form, image: '', empty: true, sshKey: 'ssh-ed25519 AAAA me', password: 'hunter2' }
  const { draft, wrong } = readForm(empty, true)
  expect(wrong).toEqual({})
  expect(draft.spec.image).toBeUndefined()
  expect(draft.spec.disks).toEqual([{ name: 'root', size: 20 * 2 ** 30, pool: undefined }])
  expect(draft.spec.cloud_init).toBeUndefined()
  expect(cliLine(empty, true)).toBe('novacron vm create web --cpus 2 --memory 2GiB --disk 20GiB && novacron start web')
})

test('without a size it gets no disk at all, whatever the pool', () => {
  const bare = { ...form, image: '', empty: true, disk: '', pool: 'fast' }
  expect(readForm(bare, true).draft.spec.disks).toBeUndefined()
  expect(cliLine(bare, true)).toBe('novacron vm create web --cpus 2 --memory 2GiB && novacron start web')
})

test('no image is chosen only on purpose', () => {
  expect(readForm({ ...form, image: '' }, true).wrong['spec.image']).toBe('Choose an image')
})

test('no secret stands in the command line', () => {
  const line = cliLine({ ...form, password: 'hunter2', sshKey: 'ssh-ed25519 AAAA me' }, true)
  expect(line).not.toContain('hunter2')
  expect(line).toContain('--password-stdin')
  expect(line).toContain('--ssh-key KEY.pub')
})

test('what a shell would read otherwise is quoted', () => {
  expect(cliLine({ ...form, name: 'a; reboot' }, true)).toContain("'a; reboot'")
  expect(cliLine({ ...form, labels: "x=it's" }, true)).toContain(`'x=it'\\''s'`)
})

test('the form becomes the draft of a running VM', () => {
  const { draft, wrong } = readForm({ ...form, ports: '127.0.0.1:8080:80', labels: 'a=b', sshKey: 'ssh-ed25519 AAAA me' }, true)
  expect(wrong).toEqual({})
  expect(draft).toEqual({
    meta: { name: 'web', labels: { a: 'b' } },
    spec: {
      run: 'running', image: 'debian-12', cpus: 2, memory: 2 * 2 ** 30, restart: 'on_failure',
      disks: [{ name: 'root', size: 20 * 2 ** 30, pool: undefined }],
      nics: [{ network: undefined, ports: [{ host: 8080, guest: 80, protocol: 'tcp', address: '127.0.0.1' }] }],
      cloud_init: { ssh_keys: ['ssh-ed25519 AAAA me'] },
    },
  })
})

test('what is wrong is named by its field', () => {
  const { wrong } = readForm({ ...form, name: 'Web!', cpus: '0', memory: 'lots', disk: 'x', ports: '80', sshKey: 'mykey', labels: 'tier' }, true)
  expect(Object.keys(wrong).sort()).toEqual([
    'meta.labels', 'meta.name', 'spec.cloud_init.ssh_keys', 'spec.cpus', 'spec.disks', 'spec.memory', 'spec.nics',
  ])
})

test('port forwards are read as the command line reads them', () => {
  expect(readPorts('[::1]:8080:80')).toEqual([{ address: '::1', host: 8080, guest: 80, protocol: 'tcp' }])
  for (const bad of ['80', 'a:b', '0:80', '80:0', '70000:80', '8080:80/sctp']) expect(typeof readPorts(bad), bad).toBe('string')
})

test('the proposed name is free', () => {
  expect(proposeName('debian-12', ['debian-1', 'debian-2'])).toBe('debian-3')
})

test('an entry of the catalogue is asked for as it is named', () => {
  const published = { ...form, image: 'debian/12' }
  expect(readForm(published, true).draft.spec.image).toBe('debian/12')
  expect(cliLine(published, true)).toContain('novacron launch debian/12 web')
  expect(proposeName('debian/12', [])).toBe('debian-1')
})

test('the machine is told only where it is another than the usual one', () => {
  const windows = { ...form, image: 'win11', preset: 'windows' as const, firmware: 'uefi_secure' as const, tpm: true, boot: 'cdrom' as const }
  const { spec } = readForm(windows, true, true).draft
  expect(spec).toMatchObject({ preset: 'windows', firmware: 'uefi_secure', tpm: true, boot: ['cd0', 'root'] })
  expect(cliLine(windows, true, true)).toContain('--preset windows --firmware uefi-secure --tpm=true --boot cd0,root')
  const usual = readForm(form, true).draft.spec
  expect([usual.preset, usual.firmware, usual.tpm, usual.boot]).toEqual([undefined, undefined, undefined, undefined])
  // There is nothing to order without a CD-ROM drive.
  expect(readForm({ ...form, boot: 'cdrom' }, true).draft.spec.boot).toBeUndefined()
})
