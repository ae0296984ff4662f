// A log to read: searched, followed, downloaded. What it is of, the page says.
import { Download } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { ReactNode } from 'react'
import { logPath } from '../../api/actions'
import { CommandLine } from '../Copy'
import { Empty, Skeleton } from '../Page'
import { ProblemBox } from '../Problem'
import { useListState } from '../table/listState'
import { shownLines } from './logText'
import { useLog } from './useLog'

const WHOLE = 67_108_864 // the most that the API gives
const LINES_DRAWN = 5000

interface Props {
  /** Path of the object in the API. */
  object: string
  name: string
  /** Which of the object's logs, if it has several. */
  source?: string
  /** What shows the same on the command line. */
  command: string
  children?: ReactNode
}

export function LogView({ object, name, source, command, children }: Props) {
  const { q, set } = useListState()
  const [follow, setFollow] = useState(true)
  const { log, loading, problem } = useLog(object, source, follow)
  const lines = shownLines(log, q).slice(-LINES_DRAWN)
  const file = [name, ...(source ? [source] : [])].join('-')
  return (
    <>
      <div className="mb-2 flex flex-wrap items-center gap-2">
        {children}
        <input
          type="search" className="input w-56" placeholder="Search" aria-label="Search in the log" data-filter="" value={q}
          onChange={(event) => set({ q: event.target.value })}
        />
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={follow} onChange={(event) => setFollow(event.target.checked)} />
          Follow
        </label>
        <a className="btn ml-auto" href={logPath(object, source, WHOLE, false)} download={`${file}.log`}>
          <Download size={14} aria-hidden="true" /> Download
        </a>
      </div>
      {problem && <ProblemBox error={problem} />}
      {!problem && loading && lines.length === 0 && <Skeleton />}
      {!problem && !loading && lines.length === 0 && !q && <Empty text="The log is empty." command={<CommandLine text={command} />} />}
      {(lines.length > 0 || q) && <Lines lines={lines} follow={follow} search={q} name={name} />}
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
