// A VM's network interfaces and the ports that the host forwards to them.
import { Plus, Trash2 } from 'lucide-react'
import { useList } from '../../../api/queries'
import type { Nic, Vm } from '../../../api/types'
import { CopyText } from '../../../components/Copy'
import { SelectField, TextField } from '../../../components/Field'
import { errorAt } from '../../../components/FormDialog'
import { readPorts } from '../../launch/draft'
import { portText } from '../../vms/columns'
import { mistake, Section, type FormProps } from './Section'

interface NicForm {
  network: string
  ports: string
  /** As it came, with what this form does not show. */
  was: Nic
}

interface NicsForm {
  nics: NicForm[]
}

const NICS_MAX = 8
const FIRST = 'user'

export function Nics({ vm }: { vm: Vm }) {
  const nics = vm.spec.nics ?? []
  return (
    <Section title="Network" vm={vm} begin={begin} read={read} fields={(props) => <Fields {...props} project={vm.meta.project ?? 'default'} />}>
      <ul className="space-y-2">
        {nics.map((nic, index) => (
          <li key={index} className="flex flex-wrap gap-x-3">
            <span className="w-14 shrink-0 text-dim">NIC {index + 1}</span>
            <span>network {nic.network ?? FIRST}</span>
            {vm.status.runtime?.nics[index] && <CopyText text={vm.status.runtime.nics[index].mac} />}
            <span className="min-w-0 basis-full pl-17 text-dim empty:hidden">{nic.ports.length > 0 && `ports ${nic.ports.map(portText).join(', ')}`}</span>
          </li>
        ))}
        {nics.length === 0 && <li className="text-dim">None: the guest has no network.</li>}
      </ul>
    </Section>
  )
}

function begin(vm: Vm): NicsForm {
  return { nics: (vm.spec.nics ?? []).map((was) => ({ network: was.network ?? FIRST, ports: was.ports.map(portText).join(' '), was })) }
}

function read(form: NicsForm) {
  const nics: Nic[] = []
  for (const [index, nic] of form.nics.entries()) {
    const ports = readPorts(nic.ports)
    if (typeof ports === 'string') return mistake(`spec.nics.${index}.ports`, ports)
    nics.push({ ...nic.was, network: nic.network, ports })
  }
  return { spec: { nics } }
}

function Fields({ form, set, problem, project }: FormProps<NicsForm> & { project: string }) {
  const networks = useList('network', project).data?.items ?? []
  const names = [...new Set([FIRST, ...networks.map((each) => each.meta.name), ...form.nics.map((nic) => nic.network)])]
  const bridge = (name: string) => networks.find((each) => each.meta.name === name)?.spec.bridge
  const label = (name: string) => (bridge(name) ? `${name} (bridge ${bridge(name)})` : name)
  const change = (index: number, part: Partial<NicForm>) => set({ nics: form.nics.map((nic, at) => (at === index ? { ...nic, ...part } : nic)) })
  return (
    <div className="space-y-4">
      {form.nics.map((nic, index) => (
        <fieldset key={index} className="grid items-start gap-3 sm:grid-cols-[10rem_1fr_auto]">
          <legend className="mb-1 text-dim">NIC {index + 1}</legend>
          <SelectField
            label="Network" value={nic.network} error={errorAt(problem, `spec.nics.${index}.network`, `spec.nics[${index}].network`)}
            options={names.map((name) => ({ value: name, label: label(name) }))}
            onChange={(event) => change(index, { network: event.target.value, ports: bridge(event.target.value) ? '' : nic.ports })}
          />
          <TextField
            label="Ports" value={nic.ports} placeholder="8080:80 2222:22" disabled={bridge(nic.network) !== undefined}
            hint={bridge(nic.network) ? 'A bridge forwards none' : '[ADDRESS:]HOST:GUEST[/udp]'}
            error={errorAt(problem, `spec.nics.${index}.ports`, `spec.nics[${index}].ports`)} onChange={(event) => change(index, { ports: event.target.value })}
          />
          <button
            type="button" className="btn btn-icon sm:mt-6" aria-label={`Remove NIC ${index + 1}`} title="Remove"
            onClick={() => set({ nics: form.nics.filter((_, at) => at !== index) })}
          >
            <Trash2 size={14} aria-hidden="true" />
          </button>
        </fieldset>
      ))}
      <button
        type="button" className="btn" disabled={form.nics.length >= NICS_MAX}
        onClick={() => set({ nics: [...form.nics, { network: FIRST, ports: '', was: {} }] })}
      >
        <Plus size={14} aria-hidden="true" /> Add a NIC
      </button>
    </div>
  )
}
