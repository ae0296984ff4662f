// All that is known of one task: its step, how it ended, and what happened to its target meanwhile.
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { Problem } from '../../api/client'
import { useEvents } from '../../api/queries'
import type { LogLine, Task } from '../../api/types'
import { dateTime } from '../../components/format'
import { useNow } from '../../components/hooks'
import { Facts } from '../../components/Page'
import { ProblemBox } from '../../components/Problem'
import { EventList } from '../events/EventList'
import { taskMark, TaskProgress, took } from './parts'
import { eventsDuring, taskLog } from './story'

type Fact = [string, ReactNode]

export function TaskDetails({ task }: { task: Task }) {
  const now = useNow()
  const { state, live, outcome } = task.status
  const error = outcome?.error
  return (
    <div className="grid gap-x-6 gap-y-3 py-3 md:grid-cols-[22rem_minmax(0,1fr)]">
      <div className="space-y-3">
        <Facts
          facts={[
            ['State', taskMark(task)],
            ...when(state === 'running', ['Step', live ? <TaskProgress task={task} /> : 'none reported yet']),
            ['Asked for by', `${task.meta.owner}, ${dateTime(task.meta.created)}`],
            ...when(outcome, ['Ended', outcome && dateTime(outcome.finished)]),
            [outcome ? 'Took' : 'Elapsed', took(task, now)],
          ]}
        />
        {error && <ProblemBox compact error={new Problem({ status: 0, code: error.code, message: error.message, field: error.field ?? undefined, hint: error.hint ?? undefined })} />}
        <TargetLinks task={task} />
      </div>
      <div className="min-w-0 space-y-3">
        <Log lines={taskLog(task)} />
        <Story task={task} />
      </div>
    </div>
  )
}

function when(holds: unknown, fact: Fact): Fact[] {
  return holds ? [fact] : []
}

function TargetLinks({ task }: { task: Task }) {
  const { target } = task.spec
  if (target.kind !== 'vm') return null
  const params = { project: target.project ?? 'default', name: target.name }
  return (
    <p className="flex gap-3">
      {['serial', 'logs', 'events'].map((tab) => (
        <Link key={tab} to="/p/$project/vms/$name/$tab" params={{ ...params, tab }} className="link">
          {tab.charAt(0).toUpperCase() + tab.slice(1)} of {target.name}
        </Link>
      ))}
    </p>
  )
}

function Log({ lines }: { lines: LogLine[] }) {
  if (lines.length === 0) return null
  return (
    <section>
      <h3 className="mb-1 font-medium">Log</h3>
      <ol className="divide-y divide-line">
        {lines.map((line, index) => (
          <li key={index} className="flex gap-x-4 px-3 py-1">
            <time className="shrink-0 text-dim" dateTime={line.time}>
              {dateTime(line.time).slice(11)}
            </time>
            <span className="min-w-0 break-words">{line.text}</span>
          </li>
        ))}
      </ol>
    </section>
  )
}

function Story({ task }: { task: Task }) {
  const { target } = task.spec
  const query = useEvents(task.meta.project ?? 'default', `${target.kind}/${target.name}`)
  const events = eventsDuring(task, query.data ?? [])
  return (
    <section className="min-w-0">
      <h3 className="mb-1 font-medium">What happened to {target.name} meanwhile</h3>
      {events.length > 0 ? <EventList events={events} brief /> : query.isPending ? null : <p className="text-dim">No events.</p>}
      {query.error && <ProblemBox error={query.error} compact retry={() => void query.refetch()} />}
    </section>
  )
}
