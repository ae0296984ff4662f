// The list of key bindings.
import { Dialog } from '../../components/Dialog'
import { Kbd } from './Kbd'
import { projectPlaces, SYSTEM_PLACES } from './Nav'

/** `the overview`, `VMs`, `networks` */
function inSentence(label: string): string {
  if (label === 'VMs') return label
  return label === 'Overview' ? 'the overview' : label.toLowerCase()
}

const KEYS: [string, string][] = [
  ['?', 'This help'],
  ['/', 'Search; also Ctrl-K'],
  ['f', 'Filter the list'],
  ['c', 'Launch a VM'],
  ...[...projectPlaces(''), ...SYSTEM_PLACES].flatMap(({ key, label }): [string, string][] => (key ? [[`g ${key}`, `Go to ${inSentence(label)}`]] : [])),
  ['j  k', 'Next and previous row'],
  ['x', 'Select the row'],
  ['Enter', 'Open the row'],
  ['s', 'Start the VM of the row'],
  ['Esc', 'Close, or back to the list'],
]

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="grid grid-cols-[5rem_1fr] gap-y-1.5">
        {KEYS.map(([key, text]) => (
          <div key={key} className="contents">
            <dt>
              <Kbd keys={key} />
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-dim">No key works while a guest’s serial console or screen has the focus.</p>
    </Dialog>
  )
}
