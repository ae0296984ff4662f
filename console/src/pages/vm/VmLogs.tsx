// A VM's logs: its serial line, what QEMU said, or what the node's agent did.
import { objectPath } from '../../api/kinds'
import type { Vm } from '../../api/types'
import { LogView } from '../../components/log/LogView'
import { useListState } from '../../components/table/listState'

const SOURCES = { serial: 'Serial', qemu: 'QEMU', agent: 'Agent' }

export function VmLogs({ vm }: { vm: Vm }) {
  const { source: asked, set } = useListState()
  const source = asked || 'serial'
  const { name, project } = vm.meta
  const command = `novacron logs ${name} --follow${source === 'serial' ? '' : ` --source ${source}`}`
  return (
    <LogView object={objectPath('vm', project ?? 'default', name)} name={name} source={source} command={command}>
      <div role="radiogroup" aria-label="Which log" className="flex">
        {(Object.keys(SOURCES) as (keyof typeof SOURCES)[]).map((each) => (
          <button
            key={each} type="button" role="radio" aria-checked={source === each} onClick={() => set({ source: each === 'serial' ? '' : each })}
            className={`btn first:rounded-r-none last:-ml-px last:rounded-l-none ${source === each ? 'bg-accent-soft text-accent' : ''}`}
          >
            {SOURCES[each]}
          </button>
        ))}
      </div>
    </LogView>
  )
}
