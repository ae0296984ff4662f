// Changes that the running guest gets at its next start.
import { RotateCcw, Undo2 } from 'lucide-react'
import { revertVm } from '../../api/actions'
import { noteObject } from '../../api/cache'
import type { Vm } from '../../api/types'
import { notifyError } from '../../components/notices'
import { runVerb } from '../vms/actions'

export function Pending({ vm }: { vm: Vm }) {
  const pending = vm.status.pending
  if (pending.length === 0) return null
  const revert = () => {
    revertVm(vm)
      .then((now) => noteObject('vm', now))
      .catch((error: unknown) => notifyError(`Cannot revert ${vm.meta.name}`, error))
  }
  return (
    <section aria-label="Needs restart" className="mb-3 flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-3 py-2">
      <p className="min-w-0 flex-1 basis-60">
        <span className="font-medium text-warn">Needs restart:</span> {pending.map((each) => (each.reason ? `${each.text} (${each.reason})` : each.text)).join('; ')}
      </p>
      <button type="button" className="btn" onClick={() => void runVerb([vm], 'restart')}>
        <RotateCcw size={14} aria-hidden="true" /> Restart
      </button>
      <button type="button" className="btn" onClick={revert}>
        <Undo2 size={14} aria-hidden="true" /> Revert
      </button>
    </section>
  )
}
