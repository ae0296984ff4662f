// Network and ports of a new VM.
import { useList } from '../../api/queries'
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
