// Network and ports of a new VM.
import { useList } from '../../api/queries'
import type { Network } from '../../api/types'
import { SelectField, TextField } from '../../components/Field'
import type { PartProps } from './LaunchPage'

export function Networking({ form, set, wrong, project }: PartProps & { project: string }) {
  const networks = useList('network', project).data?.items ?? []
  const bridge = networks.find((each) => each.meta.name === form.network)?.spec.bridge
  const nic = Object.entries(wrong).find(([field]) => field.startsWith('spec.nics'))?.[1]
  return (
    <section className="space-y-4">
      <h2 className="text-base font-semibold">Network</h2>
      <div className="grid max-w-2xl gap-3 sm:grid-cols-2">
        <SelectField
          label="Network" value={form.network} hint={bridge && `On bridge ${bridge}: an address of the LAN, by DHCP`}
          onChange={(event) => set(onBridge(networks, event.target.value) ? { network: event.target.value, ports: '' } : { network: event.target.value })}
          options={[{ value: '', label: 'user (outbound and ports)' }, ...networks.filter((each) => each.meta.name !== 'user').map((each) => ({ value: each.meta.name, label: networkLabel(each) }))]}
        />
        <TextField
          label="Ports" value={form.ports} placeholder="8080:80 2222:22" error={nic} disabled={bridge !== undefined}
          hint={bridge ? 'A bridge forwards none: the guest has an address of its own' : '[ADDRESS:]HOST:GUEST[/udp]; on 127.0.0.1 unless said'}
          onChange={(event) => set({ ports: event.target.value })}
        />
      </div>
    </section>
  )
}

/** `lan (bridge br0)` */
function networkLabel(network: Network): string {
  return network.spec.bridge ? `${network.meta.name} (bridge ${network.spec.bridge})` : network.meta.name
}

function onBridge(networks: Network[], name: string): boolean {
  return networks.some((each) => each.meta.name === name && each.spec.kind === 'bridge')
}
