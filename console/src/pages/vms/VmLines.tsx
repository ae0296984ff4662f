// VMs as plain lines, inside other pages.
import { Link } from '@tanstack/react-router'
import type { Vm } from '../../api/types'
import { bytes } from '../../components/format'
import { StateMark } from '../../components/StateMark'

/** `beside`: the project that needs no naming. */
export function VmLines({ vms, beside }: { vms: Vm[]; beside: string }) {
  return (
    <ul className="panel divide-y divide-line">
      {vms.map((vm) => (
        <li key={vm.meta.uid} className="flex h-9 items-center gap-4 px-3">
          <span className="w-24 shrink-0">
            <StateMark state={vm.status.state} title={vm.status.reason} />
          </span>
          <Link to="/p/$project/vms/$name" params={{ project: vm.meta.project ?? 'default', name: vm.meta.name }} className="min-w-0 flex-1 truncate font-medium hover:text-accent">
            {vm.meta.name}
          </Link>
          {vm.meta.project !== beside && <span className="chip">project {vm.meta.project}</span>}
          <span className="text-dim">
            {vm.spec.cpus} CPUs, {bytes(vm.spec.memory)}
          </span>
        </li>
      ))}
    </ul>
  )
}
