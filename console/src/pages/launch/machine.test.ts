import { expect, test } from 'vitest'
import type { Image } from '../../api/types'
import { EMPTY_FORM, readForm } from './draft'
import { machineDisks, machineFields } from './machine'

const image = {
  meta: { name: 'web' },
  status: {
    content: {
      kind: 'bundle',
      machine: {
        name: 'web', cpus: 3, memory: 3 << 28, preset: 'linux', firmware: 'uefi', tpm: true, restart: 'on_failure',
        disks: [{ name: 'root', size: 1 << 30 }, { name: 'data', size: 1 << 20 }],
      },
    },
  },
} as unknown as Image

test('an image of a whole VM fills the form with its machine', () => {
  const form = { ...EMPTY_FORM, image: 'web', name: 'web2', ...machineFields(image) }
  const { spec } = readForm(form, false).draft
  expect(spec).toMatchObject({ image: 'web', cpus: 3, memory: 3 << 28, firmware: 'uefi', tpm: true, preset: 'linux' })
  expect(spec.disks, 'the image brings them').toBeUndefined()
  expect(readForm({ ...form, firmware: 'bios', tpm: false }, false).draft.spec).toMatchObject({ firmware: 'bios', tpm: false })
  expect(machineDisks(image)).toBe('root 1 GiB, data 1 MiB')
  expect(machineFields(undefined)).toEqual({ whole: false })
})
