// What a volume is to sit on as a disk of a VM.
import type { DiskBus, Vm } from '../../api/types'
import { SelectField } from '../../components/Field'

interface Props {
  vm: Vm | undefined
  value: DiskBus | ''
  onChange: (bus: DiskBus | '') => void
}

export function BusField({ vm, value, onChange }: Props) {
  const usual = vm?.spec.preset === 'windows' ? 'sata' : 'virtio'
  const live = vm !== undefined && !['stopped', 'failed', 'pending', 'creating'].includes(vm.status.state)
  const later = live && (value || usual) === 'sata'
  return (
    <SelectField
      label="Bus" value={value} hint={later ? 'SATA takes it at the next start of the guest' : 'virtio needs a driver in the guest, which Linux has'}
      options={[
        { value: '', label: `The preset’s (${usual})` },
        { value: 'virtio', label: 'virtio' },
        { value: 'sata', label: 'SATA' },
      ]}
      onChange={(event) => onChange(event.target.value as DiskBus | '')}
    />
  )
}
