// Asks before a verb in which the guest has no say, as the command line asks before it.
import { useState } from 'react'
import type { Vm } from '../../api/types'
import { CommandLine } from '../../components/Copy'
import { Dialog } from '../../components/Dialog'
import { runVerb } from './actions'

export type Harsh = 'reset' | 'cut'

const WORDS: Record<Harsh, { button: string; title: (name: string) => string; text: string; command: (name: string) => string }> = {
  reset: {
    button: 'Reset', title: (name) => `Reset ${name}?`, command: (name) => `novacron reset ${name}`,
    text: 'The guest begins anew as if its reset button were pressed.',
  },
  cut: {
    button: 'Cut the power', title: (name) => `Cut the power of ${name}?`, command: (name) => `novacron stop ${name} --force --timeout 0s`,
    text: 'The guest is not asked to shut down.',
  },
}

interface Props {
  vm: Vm
  verb: Harsh
  onClose: () => void
}

export function HarshDialog({ vm, verb, onClose }: Props) {
  const [busy, setBusy] = useState(false)
  const { button, title, text, command } = WORDS[verb]
  const { name } = vm.meta
  const go = () => {
    setBusy(true)
    const asked = verb === 'reset' ? runVerb([vm], 'reset') : runVerb([vm], 'stop', { force: true, timeout: 0 })
    void asked.finally(onClose)
  }
  return (
    <Dialog
      title={title(name)} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" data-autofocus="" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="btn btn-danger" disabled={busy} onClick={go}>
            {button}
          </button>
        </>
      }
    >
      <div className="space-y-3">
        <p>
          {text} <strong>What it has not written yet is lost.</strong>
        </p>
        <CommandLine text={command(name)} stacked />
      </div>
    </Dialog>
  )
}
