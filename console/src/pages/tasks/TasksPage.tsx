// The list of tasks, newest first: what was asked for, how far it is, how it ended.
import { Link } from '@tanstack/react-router'
import { useList } from '../../api/queries'
import type { Task } from '../../api/types'
import { useProject } from '../../app/project'
import { CommandLine } from '../../components/Copy'
import { dateTime } from '../../components/format'
import { useNow } from '../../components/hooks'
import { Empty } from '../../components/Page'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { CancelTask, taskMark, TaskProgress, TaskTarget, took } from './parts'

function Kind({ task }: { task: Task }) {
  return (
    <Link to="/p/$project/tasks/$name" params={{ project: task.meta.project ?? 'default', name: task.meta.name }} className="link">
      {task.spec.action}
    </Link>
  )
}

function Took({ task }: { task: Task }) {
  return <>{took(task, useNow())}</>
}

function Result({ task }: { task: Task }) {
  const error = task.status.outcome?.error
  if (!error) return <TaskProgress task={task} />
  return (
    <span className="text-bad" title={[error.message, error.hint].filter(Boolean).join('; ')}>
      {error.message}
    </span>
  )
}

const COLUMNS: Column<Task>[] = [
  { id: 'state', title: 'State', width: '7.5rem', narrow: true, sort: (task) => task.status.state, cell: taskMark },
  { id: 'kind', title: 'Kind', width: '5.5rem', narrow: true, sort: (task) => task.spec.action, cell: (task) => <Kind task={task} /> },
  { id: 'target', title: 'Target', width: '13rem', narrowWidth: '9.5rem', narrow: true, sort: (task) => task.spec.target.name, cell: (task) => <TaskTarget task={task} /> },
  { id: 'result', title: 'Step or error', cell: (task) => <Result task={task} /> },
  { id: 'by', title: 'By', width: '6.5rem', choice: 'shown', sort: (task) => task.meta.owner, cell: (task) => task.meta.owner },
  { id: 'created', title: 'Started', width: '10.5rem', choice: 'shown', sort: (task) => Date.parse(task.meta.created), cell: (task) => dateTime(task.meta.created) },
  { id: 'took', title: 'Took', width: '5.5rem', right: true, choice: 'shown', cell: (task) => <Took task={task} /> },
  { id: 'actions', title: '', width: '5.5rem', right: true, cell: (task) => <CancelTask task={task} /> },
]

const STATES = ['running', 'succeeded', 'failed', 'cancelled']

export function TasksPage() {
  const query = useList('task', useProject())
  const actions = [...new Set((query.data?.items ?? []).map((task) => task.spec.action))].sort()
  return (
    <ListPage
      title="Tasks" id="tasks" query={query} columns={COLUMNS} sort="-created"
      texts={(task) => [task.status.state, task.spec.action, task.spec.target.name, task.status.outcome?.error?.message ?? '']}
      href={(task) => `/p/${task.meta.project ?? 'default'}/tasks/${task.meta.name}`} signature={(task) => task.status.state}
      where={(task, state) => (!state.state || task.status.state === state.state) && (!state.kind || task.spec.action === state.kind)}
      toolbar={(state) => (
        <>
          <Choice label="Filter by state" any="Any state" value={state.state} options={STATES} onChange={(value) => state.set({ state: value })} />
          <Choice label="Filter by kind" any="Any kind" value={state.kind} options={actions} onChange={(value) => state.set({ kind: value })} />
        </>
      )}
      empty={<Empty text="No tasks yet. What takes time, such as launching a VM, shows here." command={<CommandLine text="novacron task list" />} />}
    />
  )
}

interface ChoiceProps {
  label: string
  any: string
  value: string | undefined
  options: string[]
  onChange: (value: string) => void
}

function Choice({ label, any, value = '', options, onChange }: ChoiceProps) {
  return (
    <select className="input w-auto" aria-label={label} value={value} onChange={(event) => onChange(event.target.value)}>
      <option value="">{any}</option>
      {options.map((option) => (
        <option key={option}>{option}</option>
      ))}
    </select>
  )
}
