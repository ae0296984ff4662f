// What will be launched, in a few lines.
import type { Image } from '../../api/types'
import { parseBytes, bytes, words } from '../../components/format'
import { Facts } from '../../components/Page'
import { FIRMWARES } from '../vm/hardware/Machine'
import type { LaunchForm } from './draft'
import { machineDisks } from './machine'

export function Summary({ form, image, hasDisk }: { form: LaunchForm; image: Image | undefined; hasDisk: boolean }) {
  const size = (text: string) => {
    const count = parseBytes(text, 'GiB')
    return count ? bytes(count) : '–'
  }
  const iso = image?.status.content?.kind === 'iso'
  const disk = form.whole ? machineDisks(image) : form.empty || iso ? (form.disk.trim() ? `${size(form.disk)}, empty` : 'none') : hasDisk ? size(form.disk) : 'none, it boots from memory'
  const access = [form.sshKey.trim() && 'ssh key', form.password && 'password', form.userData.trim() && 'cloud-init'].filter(Boolean).join(', ')
  const machine = [words(form.preset), FIRMWARES.find((each) => each.value === form.firmware)?.label, form.tpm && 'TPM'].filter(Boolean).join(', ')
  return (
    <>
      <h2 className="truncate text-base font-semibold">{form.name}</h2>
      <Facts
        facts={[
          [iso ? 'CD-ROM' : 'Image', form.empty ? 'none' : form.image || '–'],
          ['CPUs', form.cpus],
          ['Memory', size(form.memory)],
          ['Disk', disk],
          ['Access', form.empty || iso ? 'serial console and screen' : access || 'as the image has it'],
          ['Network', [form.network || 'user', form.ports.trim()].filter(Boolean).join(', ')],
          ['Machine', machine],
          ['Restart', words(form.restart)],
        ]}
      />
    </>
  )
}
