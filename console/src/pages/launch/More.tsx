// What is rarely changed of a new VM: pool, machine, boot order, restart policy, labels.
import { useList } from '../../api/queries'
import type { Firmware, Preset, RestartPolicy } from '../../api/types'
import { SelectField, TextField } from '../../components/Field'
import { FIRMWARES, PRESETS } from '../vm/hardware/Machine'
import type { LaunchForm } from './draft'
import type { PartProps } from './LaunchPage'

export const RESTARTS: { value: RestartPolicy; label: string }[] = [
  { value: 'on_failure', label: 'After a crash' },
  { value: 'always', label: 'Always, also after it shut itself down' },
  { value: 'never', label: 'Never' },
]

const ORDERS: { value: LaunchForm['boot']; label: string }[] = [
  { value: '', label: 'Disk, then CD-ROM' },
  { value: 'cdrom', label: 'CD-ROM, then disk' },
]

/** `iso`: there is a CD-ROM drive beside the disk. */
export function More({ form, set, wrong, iso }: PartProps & { iso: boolean }) {
  const pools = useList('pool', '').data?.items ?? []
  return (
    <details>
      <summary className="text-base font-semibold">More: pool, machine, restart, labels</summary>
      <div className="mt-3 grid max-w-2xl gap-3 sm:grid-cols-2">
        <SelectField
          label="Pool of the disk" value={form.pool} onChange={(event) => set({ pool: event.target.value })}
          options={[{ value: '', label: 'default' }, ...pools.filter((each) => each.meta.name !== 'default').map((each) => ({ value: each.meta.name, label: each.meta.name }))]}
        />
        <SelectField label="Start again" value={form.restart} options={RESTARTS} onChange={(event) => set({ restart: event.target.value as RestartPolicy })} />
        <SelectField
          label="Made for" value={form.preset} options={PRESETS} error={wrong['spec.preset']}
          onChange={(event) => set({ preset: event.target.value as Preset })}
        />
        <SelectField
          label="Firmware" value={form.firmware} options={FIRMWARES} error={wrong['spec.firmware']}
          onChange={(event) => set({ firmware: event.target.value as Firmware })}
        />
        {iso && (
          <SelectField
            label="Boot order" value={form.boot} options={ORDERS} error={wrong['spec.boot']}
            onChange={(event) => set({ boot: event.target.value as LaunchForm['boot'] })}
          />
        )}
        <TextField
          label="Labels" value={form.labels} placeholder="tier=web stage=test" error={wrong['meta.labels']}
          onChange={(event) => set({ labels: event.target.value })}
        />
        <label className="flex items-center gap-2 self-end pb-2">
          <input type="checkbox" className="size-4 accent-accent" checked={form.tpm} onChange={(event) => set({ tpm: event.target.checked })} />
          TPM 2.0
        </label>
      </div>
    </details>
  )
}
