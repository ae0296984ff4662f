// The verbs of a VM's power as entries of a menu.
import { Pause, Play, Power, RotateCcw, Square, Zap } from 'lucide-react'
import type { Vm } from '../../api/types'
import type { MenuItem } from '../../components/Menu'
import { verbsFor } from '../../components/state'
import { runVerb } from './actions'
import type { Harsh } from './HarshDialog'

const ICON = 14

/** `ask` opens the question that comes before a verb in which the guest has no say. */
export function powerItems(vm: Vm, ask: (verb: Harsh) => void): MenuItem[] {
  const verbs = verbsFor(vm)
  const run = (verb: Parameters<typeof runVerb>[1]) => () => void runVerb([vm], verb)
  return [
    { label: 'Start', icon: <Play size={ICON} />, onSelect: run('start'), disabled: !verbs.start },
    { label: 'Stop', icon: <Square size={ICON} />, onSelect: run('stop'), disabled: !verbs.stop },
    { label: 'Restart', icon: <RotateCcw size={ICON} />, onSelect: run('restart'), disabled: !verbs.restart },
    { label: 'Pause', icon: <Pause size={ICON} />, onSelect: run('pause'), disabled: !verbs.pause },
    { label: 'Resume', icon: <Play size={ICON} />, onSelect: run('resume'), disabled: !verbs.resume },
    { label: 'Reset …', icon: <Zap size={ICON} />, onSelect: () => ask('reset'), disabled: !verbs.restart },
    { label: 'Cut the power …', icon: <Power size={ICON} />, onSelect: () => ask('cut'), disabled: !verbs.stop },
  ]
}
