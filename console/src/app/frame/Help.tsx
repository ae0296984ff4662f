// The list of key bindings.
import { Dialog } from '../../components/Dialog'

const KEYS: [string, string][] = [
  ['?', 'This help'],
  ['/', 'Search; also Ctrl-K'],
  ['f', 'Filter the list'],
  ['c', 'Launch a VM'],
  ['g o', 'Go to the overview'],
  ['g v', 'Go to VMs'],
  ['g d', 'Go to volumes'],
  ['g i', 'Go to images'],
  ['g n', 'Go to nodes'],
  ['g t', 'Go to tasks'],
  ['g e', 'Go to events'],
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
              {key.split(' ').filter(Boolean).map((each) => (
                <kbd key={each} className="mr-1 rounded border border-line-strong px-1.5 py-0.5 font-mono text-xs">
                  {each}
                </kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-dim">No key works while a guest’s serial console or screen has the focus.</p>
    </Dialog>
  )
}
