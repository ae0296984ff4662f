// Asks before all guests of a node go down, of every project.
import { useState } from 'react'
import { stopGuests } from '../../api/actions'
import type { Node } from '../../api/types'
import { CommandLine } from '../../components/Copy'
import { count } from '../../components/format'
import { FormDialog } from '../../components/FormDialog'
import { notify } from '../../components/notices'

/** The server's own. */
const TIMEOUT_S = 60

export function StopGuests({ node, onClose }: { node: Node; onClose: () => void }) {
  const [force, setForce] = useState(false)
  const { name } = node.meta
  const submit = async () => {
    await stopGuests(node, { force, timeout: TIMEOUT_S })
    notify({ tone: 'ok', title: `${name} shuts its guests down` })
  }
  return (
    <FormDialog title={`Shut the guests of ${name} down?`} submit="Shut down" danger onSubmit={submit} onClose={onClose}>
      {() => (
        <>
          <p>
            All guests here are shut down, of every project ({count(node.status.allocated.vms, 'VM')} placed here). None starts on {name} until its host’s next boot, or until you let them start again. What their VMs should do stays.
          </p>
          <label className="flex items-start gap-2">
            <input type="checkbox" className="mt-0.5 size-4 accent-accent" checked={force} onChange={(event) => setForce(event.target.checked)} />
            <span>Cut the power of guests that are not down after {TIMEOUT_S} s; what they have not written yet is lost. Otherwise they run on.</span>
          </label>
          <CommandLine text={`novacron node stop-guests ${name}${force ? ' --force' : ''}`} stacked />
        </>
      )}
    </FormDialog>
  )
}
