// Which machine the guest finds: the devices' kind, the firmware, a TPM.
import type { Firmware, Preset, Vm } from '../../../api/types'
import { SelectField } from '../../../components/Field'
import { errorAt } from '../../../components/FormDialog'
import { Facts } from '../../../components/Page'
import { Section, type FormProps } from './Section'

interface MachineForm {
  preset: Preset
  firmware: Firmware
  tpm: boolean
}

export const PRESETS: { value: Preset; label: string }[] = [
  { value: 'linux', label: 'Linux: virtio devices, UTC' },
  { value: 'windows', label: 'Windows: SATA, e1000e, local time' },
]
export const FIRMWARES: { value: Firmware; label: string }[] = [
  { value: 'bios', label: 'BIOS' },
  { value: 'uefi', label: 'UEFI' },
  { value: 'uefi_secure', label: 'UEFI with secure boot' },
]

export function Machine({ vm }: { vm: Vm }) {
  const { preset, firmware, tpm } = vm.spec
  return (
    <Section
      title="Machine" vm={vm} begin={({ spec }) => ({ preset: spec.preset, firmware: spec.firmware, tpm: spec.tpm })}
      read={(form: MachineForm) => ({ spec: form })} fields={(props) => <Fields {...props} />}
    >
      <Facts
        facts={[
          ['Made for', PRESETS.find((each) => each.value === preset)?.label ?? preset],
          ['Firmware', FIRMWARES.find((each) => each.value === firmware)?.label ?? firmware],
          ['TPM', tpm ? 'TPM 2.0' : 'none'],
        ]}
      />
    </Section>
  )
}

function Fields({ form, set, problem }: FormProps<MachineForm>) {
  return (
    <div className="space-y-3">
      <SelectField
        label="Made for" value={form.preset} options={PRESETS} error={errorAt(problem, 'spec.preset')}
        onChange={(event) => set({ preset: event.target.value as Preset })}
      />
      <SelectField
        label="Firmware" value={form.firmware} options={FIRMWARES} error={errorAt(problem, 'spec.firmware')}
        onChange={(event) => set({ firmware: event.target.value as Firmware })}
      />
      <label className="flex items-center gap-2">
        <input type="checkbox" className="size-4 accent-accent" checked={form.tpm} onChange={(event) => set({ tpm: event.target.checked })} />
        TPM 2.0
      </label>
    </div>
  )
}
