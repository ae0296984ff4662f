// What can be done with the VM of a page: the verb that fits with its variants, ways in, and the rest.
import { Link } from '@tanstack/react-router'
import { ChevronDown, Monitor, Play, Square, SquareTerminal } from 'lucide-react'
import { useState } from 'react'
import type { Vm } from '../../api/types'
import { Menu } from '../../components/Menu'
import { verbsFor } from '../../components/state'
import { runVerb } from '../vms/actions'
import { HarshDialog, type Harsh } from '../vms/HarshDialog'
import { powerItems } from '../vms/powerItems'
import { VmMenu } from '../vms/VmMenu'

export function VmActions({ vm, onDeleted }: { vm: Vm; onDeleted: () => void }) {
  const params = { project: vm.meta.project ?? 'default', name: vm.meta.name }
  return (
    <>
      <PowerButton vm={vm} />
      <Link to="/p/$project/vms/$name/$tab" params={{ ...params, tab: 'serial' }} className="btn max-sm:hidden">
        <SquareTerminal size={15} aria-hidden="true" /> Serial
      </Link>
      <Link to="/p/$project/vms/$name/$tab" params={{ ...params, tab: 'screen' }} className="btn max-sm:hidden">
        <Monitor size={15} aria-hidden="true" /> Screen
      </Link>
      <VmMenu vm={vm} className="btn btn-icon" rest onDeleted={onDeleted} />
    </>
  )
}

/** The verb that fits now, and beside it the others. */
function PowerButton({ vm }: { vm: Vm }) {
  const [asked, setAsked] = useState<Harsh>()
  const verbs = verbsFor(vm)
  const run = (verb: 'start' | 'resume' | 'stop') => () => void runVerb([vm], verb)
  const main = 'btn rounded-r-none'
  const up = verbs.start || verbs.resume
  return (
    <span className="inline-flex">
      {up ? (
        <button type="button" className={`${main} btn-primary`} onClick={run(verbs.resume ? 'resume' : 'start')}>
          <Play size={14} aria-hidden="true" /> {verbs.resume ? 'Resume' : 'Start'}
        </button>
      ) : (
        <button type="button" className={main} disabled={!verbs.stop} onClick={run('stop')}>
          <Square size={13} aria-hidden="true" /> Stop
        </button>
      )}
      <Menu
        label={`Power of ${vm.meta.name}`} className={`btn rounded-l-none px-1.5 ${up ? 'btn-primary border-l-on-accent/40' : '-ml-px'}`}
        button={<ChevronDown size={14} aria-hidden="true" />}
        items={powerItems(vm, setAsked)}
      />
      {asked && <HarshDialog vm={vm} verb={asked} onClose={() => setAsked(undefined)} />}
    </span>
  )
}
