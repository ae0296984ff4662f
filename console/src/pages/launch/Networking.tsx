// Network and ports of a new VM, and what is rarely changed.
import { useList } from '../../api/queries'
import type { RestartPolicy } from '../../api/types'
import { SelectField, TextField } from '../../components/Field'
import type { PartProps } from './LaunchPage'

export function Networking({ form, set, wrong, project }: PartProps & { project: string }) {
  const networks = useList('network', project).data?.items ?? []
  const nic = Object.entries(wrong).find(([field]) => field.startsWith('spec.nics'))?.[1]
  return (
    <section className="space-y-4">
      <h2 className="text-base font-semibold">Network</h2>
      <div className="grid max-w-2xl gap-3 sm:grid-cols-2">
        <SelectField
          label="Network" value={form.network} onChange={(event) => set({ network: event.target.value })}
          options={[{ value: '', label: 'user (outbound and ports)' }, ...networks.filter((each) => each.meta.name !== 'user').map((each) => ({ value: each.meta.name, label: each.meta.name }))]}
        />
        <TextField
          label="Ports" value={form.ports} placeholder="8080:80 2222:22" error={nic} hint="[ADDRESS:]HOST:GUEST[/udp]; on 127.0.0.1 unless said"
          onChange={(event) => set({ ports: event.target.value })}
        />
      </div>
    </section>
  )
}

export const RESTARTS: { value: RestartPolicy; label: string }[] = [
  { value: 'on_failure', label: 'After a crash' },
  { value: 'always', label: 'Always, also after it shut itself down' },
  { value: 'never', label: 'Never' },
]

export function More({ form, set, wrong }: PartProps) {
  const pools = useList('pool', '').data?.items ?? []
  return (
    <details>
      <summary className="text-base font-semibold">More: pool, restart, labels</summary>
      <div className="mt-3 grid max-w-2xl gap-3 sm:grid-cols-2">
        <SelectField
          label="Pool of the disk" value={form.pool} onChange={(event) => set({ pool: event.target.value })}
          options={[{ value: '', label: 'default' }, ...pools.filter((each) => each.meta.name !== 'default').map((each) => ({ value: each.meta.name, label: each.meta.name }))]}
        />
        <SelectField label="Start again" value={form.restart} options={RESTARTS} onChange={(event) => set({ restart: event.target.value as RestartPolicy })} />
        <TextField
          label="Labels" value={form.labels} placeholder="tier=web stage=test" error={wrong['meta.labels']}
          onChange={(event) => set({ labels: event.target.value })}
        />
      </div>
    </details>
  )
}
