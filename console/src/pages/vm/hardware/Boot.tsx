// The order in which a VM's drives are tried.
import { ArrowDown, ArrowUp } from 'lucide-react'
import type { Vm } from '../../../api/types'
import { Section, type FormProps } from './Section'

interface BootForm {
  order: string[]
}

/** Those that are named, then the other disks, then the other CD-ROM drives. */
export function bootOrder(vm: Vm): string[] {
  const drives = [...vm.spec.disks, ...vm.spec.cdroms].map((drive) => drive.name)
  const named = vm.spec.boot.filter((name) => drives.includes(name))
  return [...named, ...drives.filter((name) => !named.includes(name))]
}

export function Boot({ vm }: { vm: Vm }) {
  const order = bootOrder(vm)
  return (
    <Section
      title="Boot order" vm={vm} begin={(now) => ({ order: bootOrder(now) })} read={(form: BootForm) => ({ spec: { boot: form.order } })}
      fields={(props) => <Fields {...props} />}
    >
      <p className={order.length > 0 ? '' : 'text-dim'}>{order.join(', then ') || 'No drives.'}</p>
    </Section>
  )
}

function Fields({ form, set }: FormProps<BootForm>) {
  const swap = (a: number, b: number) => {
    const order = [...form.order]
    const [first, second] = [order[a], order[b]]
    if (first === undefined || second === undefined) return
    order[a] = second
    order[b] = first
    set({ order })
  }
  return (
    <ol className="space-y-1" aria-label="Boot order">
      {form.order.map((name, index) => (
        <li key={name} className="flex items-center gap-2">
          <span className="w-6 text-dim">{index + 1}.</span>
          <span className="min-w-0 flex-1 truncate">{name}</span>
          <button type="button" className="btn btn-icon" aria-label={`Try ${name} earlier`} disabled={index === 0} onClick={() => swap(index, index - 1)}>
            <ArrowUp size={14} aria-hidden="true" />
          </button>
          <button type="button" className="btn btn-icon" aria-label={`Try ${name} later`} disabled={index === form.order.length - 1} onClick={() => swap(index, index + 1)}>
            <ArrowDown size={14} aria-hidden="true" />
          </button>
        </li>
      ))}
    </ol>
  )
}
