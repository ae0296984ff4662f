// A VM's facts: what it is, how to reach it, what was last asked of it.
import { Link } from '@tanstack/react-router'
import { useList } from '../../api/queries'
import type { Task, Vm } from '../../api/types'
import { CommandLine, CopyText } from '../../components/Copy'
import { bytes, dateTime, span, words } from '../../components/format'
import { useNow } from '../../components/hooks'
import { HourCharts } from '../../components/figures/HourCharts'
import { Facts, Panel } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import { newestFirst } from '../../app/frame/drawerTasks'
import { taskMark, took } from '../tasks/parts'
import { addressText, connectLines } from './connect'
import { Notes } from './Notes'

export function VmOverview({ vm }: { vm: Vm }) {
  return (
    <div className="grid gap-4 lg:grid-cols-2">
      <HourCharts path={`/v1/projects/${vm.meta.project ?? 'default'}/vms/${vm.meta.name}`} unknown={UNKNOWN} />
      <FactsPanel vm={vm} />
      <Connect vm={vm} />
      <Disks vm={vm} />
      <LastTasks vm={vm} />
      <Notes vm={vm} />
    </div>
  )
}

const UNKNOWN = { Network: 'The traffic of user networks is not counted.' }
const CAUSES = { guest: 'the guest shut itself down', requested: 'as asked', crash: 'it crashed', host_boot: 'the host was booted' }

function FactsPanel({ vm }: { vm: Vm }) {
  const now = useNow()
  const { runtime } = vm.status
  const agent = runtime?.agent
  const up = runtime?.started && ['running', 'paused', 'stopping'].includes(vm.status.state)
  const facts: [string, React.ReactNode][] = [
    ['CPUs', vm.spec.cpus],
    ['Memory', bytes(vm.spec.memory)],
    ['Image', vm.spec.image ?? '–'],
    ['Guest', agent ? [agent.os, agent.hostname].filter(Boolean).join(', ') || 'agent answers' : 'no guest agent'],
    ['Addresses', addressText(vm)],
    ['Up', up && runtime.started ? span(now - Date.parse(runtime.started)) : '–'],
    ['Restart', words(vm.spec.restart)],
    ['Created', `${dateTime(vm.meta.created)}${vm.meta.owner ? ` by ${vm.meta.owner}` : ''}`],
    ['Uid', <CopyText key="uid" text={vm.meta.uid} />],
  ]
  if (runtime?.pid) facts.splice(6, 0, ['Process', runtime.pid])
  if (runtime?.restarts) facts.push(['Restarts', runtime.restarts])
  if (runtime?.exit) facts.push(['Last end', `${dateTime(runtime.exit.time)}, ${CAUSES[runtime.exit.cause]}`])
  if (runtime?.exit?.detail) facts.push(['Last words', <code key="detail" className="font-mono text-[13px]">{runtime.exit.detail}</code>])
  return (
    <Panel title="Facts">
      <Facts facts={facts} />
    </Panel>
  )
}

function Connect({ vm }: { vm: Vm }) {
  return (
    <Panel title="How to connect">
      <div className="space-y-3">
        {connectLines(vm, location.hostname).map((line) => (
          <div key={line.text}>
            <p className="mb-1 text-dim">{line.what}</p>
            <CommandLine text={line.text} />
          </div>
        ))}
      </div>
    </Panel>
  )
}

function Disks({ vm }: { vm: Vm }) {
  const project = vm.meta.project ?? 'default'
  const volumes = useList('volume', project).data?.items ?? []
  const disks = vm.spec.disks
  const { runtime } = vm.status
  return (
    <Panel title="Disks and networks">
      <ul className="space-y-1.5">
        {disks.map((disk) => {
          const volume = volumes.find((each) => each.meta.name === disk.volume)
          return (
            <li key={disk.name} className="flex flex-wrap items-center gap-x-3">
              <span className="w-16 text-dim">{disk.name}</span>
              {disk.volume && (
                <Link to="/p/$project/volumes" params={{ project }} search={{ q: disk.volume }} className="link">
                  {disk.volume}
                </Link>
              )}
              {volume && <span>{bytes(volume.spec.size)}</span>}
              {volume && volume.status.state !== 'ready' && <StateMark state={volume.status.state} title={volume.status.reason} />}
              {disk.owned && <span className="chip">goes with the VM</span>}
            </li>
          )
        })}
        {disks.length === 0 && <li className="text-dim">No disks.</li>}
        {(vm.spec.nics ?? []).map((nic, index) => (
          <li key={`nic-${index}`} className="flex flex-wrap gap-x-3">
            <span className="w-16 text-dim">nic {index}</span>
            <span>network {nic.network ?? 'user'}</span>
            {runtime?.nics[index] && <CopyText text={runtime.nics[index].mac} />}
            {runtime?.nics[index]?.unplugged && <span className="text-warn">unplugged: {runtime.nics[index].unplugged}</span>}
          </li>
        ))}
      </ul>
    </Panel>
  )
}

function LastTasks({ vm }: { vm: Vm }) {
  const now = useNow()
  const all = useList('task', vm.meta.project ?? 'default').data?.items ?? []
  const tasks: Task[] = newestFirst(all.filter((task) => task.spec.target.uid === vm.meta.uid)).slice(0, 6)
  return (
    <Panel title="Last tasks">
      <ul className="space-y-1.5">
        {tasks.map((task) => (
          <li key={task.meta.uid} className="flex gap-3">
            <span className="w-28 shrink-0">{taskMark(task)}</span>
            <span className="min-w-0 flex-1 truncate">
              {task.spec.action}
              {task.status.outcome?.error && <span className="text-bad">: {task.status.outcome.error.message}</span>}
            </span>
            <span className="text-dim">{took(task, now)}</span>
          </li>
        ))}
        {tasks.length === 0 && <li className="text-dim">Nothing was asked of it lately.</li>}
      </ul>
    </Panel>
  )
}
