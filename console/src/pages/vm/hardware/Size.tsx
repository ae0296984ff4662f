// CPUs and memory of a VM.
import type { Vm } from '../../../api/types'
import { TextField } from '../../../components/Field'
import { errorAt } from '../../../components/FormDialog'
import { bytes, bytesFlag, parseBytes } from '../../../components/format'
import { Facts } from '../../../components/Page'
import { mistake, Section, type FormProps } from './Section'

interface SizeForm {
  cpus: string
  memory: string
}

export function Size({ vm }: { vm: Vm }) {
  return (
    <Section title="CPU and memory" vm={vm} begin={begin} read={read} fields={(props) => <Fields {...props} />}>
      <Facts facts={[['CPUs', vm.spec.cpus], ['Memory', bytes(vm.spec.memory)]]} />
    </Section>
  )
}

const begin = (vm: Vm): SizeForm => ({ cpus: String(vm.spec.cpus), memory: bytesFlag(vm.spec.memory) })

function read(form: SizeForm) {
  const cpus = Number(form.cpus)
  if (!Number.isInteger(cpus) || cpus < 1) return mistake('spec.cpus', `“${form.cpus}” is not a number of CPUs`, 'write a whole number from 1 to 1024')
  const memory = parseBytes(form.memory, 'GiB')
  if (!memory) return mistake('spec.memory', `“${form.memory}” is not a size`, 'write a number with a unit, such as 4GiB')
  return { spec: { cpus, memory } }
}

function Fields({ form, set, problem }: FormProps<SizeForm>) {
  return (
    <div className="grid gap-3 sm:grid-cols-2">
      <TextField label="CPUs" inputMode="numeric" value={form.cpus} error={errorAt(problem, 'spec.cpus')} onChange={(event) => set({ cpus: event.target.value })} />
      <TextField label="Memory" value={form.memory} error={errorAt(problem, 'spec.memory')} hint="Such as 512MiB or 4GiB" onChange={(event) => set({ memory: event.target.value })} />
    </div>
  )
}
