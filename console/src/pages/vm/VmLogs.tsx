// A VM's logs: its serial line, what QEMU said, or what the node's agent did.
import { Download } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { logPath } from '../../api/actions'
import type { Vm } from '../../api/types'
import { CommandLine } from '../../components/Copy'
import { Empty, Skeleton } from '../../components/Page'
import { ProblemBox } from '../../components/Problem'
import { useListState } from '../../components/table/listState'
import { shownLines } from './logText'
import { useLog } from './useLog'

const WHOLE = 67_108_864 // the most that the API gives
const LINES_DRAWN = 5000
const SOURCES = { serial: 'Serial', qemu: 'QEMU', agent: 'Agent' }

export function VmLogs({ vm }: { vm: Vm }) {
  const { q, source: asked, set } = useListState()
  const source = asked || 'serial'
  const [follow, setFollow] = useState(true)
  const project = vm.meta.project ?? 'default'
  const { log, loading, problem } = useLog(project, vm.meta.name, source, follow)
  const lines = shownLines(log, q).slice(-LINES_DRAWN)
  return (
    <>
      <div className="mb-2 flex flex-wrap items-center gap-2">
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
        <input
          type="search" className="input w-56" placeholder="Search" aria-label="Search in the log" data-filter="" value={q}
          onChange={(event) => set({ q: event.target.value })}
        />
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={follow} onChange={(event) => setFollow(event.target.checked)} />
          Follow
        </label>
        <a className="btn ml-auto" href={logPath(project, vm.meta.name, source, WHOLE, false)} download={`${vm.meta.name}-${source}.log`}>
          <Download size={14} aria-hidden="true" /> Download
        </a>
      </div>
      {problem && <ProblemBox error={problem} />}
      {!problem && loading && lines.length === 0 && <Skeleton />}
      {!problem && !loading && lines.length === 0 && !q && (
        <Empty text="The log is empty." command={<CommandLine text={`novacron logs ${vm.meta.name} --follow${source === 'serial' ? '' : ` --source ${source}`}`} />} />
      )}
      {(lines.length > 0 || q) && <Lines lines={lines} follow={follow} search={q} name={vm.meta.name} />}
    </>
  )
}

function Lines({ lines, follow, search, name }: { lines: string[]; follow: boolean; search: string; name: string }) {
  const box = useRef<HTMLPreElement>(null)
  const atEnd = useRef(true)
  useEffect(() => {
    const element = box.current
    if (element && follow && atEnd.current) element.scrollTop = element.scrollHeight
  }, [lines, follow])
  const onScroll = () => {
    const element = box.current
    if (element) atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 40
  }
  return (
    <pre
      ref={box} onScroll={onScroll} role="log" aria-label={`Log of ${name}`} aria-live="off"
      // A scrolling region must be reachable by keyboard.
      // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      className="panel min-h-40 flex-1 overflow-auto p-3 font-mono text-[13px] leading-5 whitespace-pre-wrap"
    >
      {lines.length === 0 ? `Nothing contains “${search}”.` : lines.join('\n')}
    </pre>
  )
}
