// The task drawer at the bottom: closed it shows the newest task, open it lists running, failed and
// recent ones, each with its details at a click. A failure stays until it is dismissed in this browser.
import { ChevronDown, ChevronRight, ChevronUp, X } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { useList } from '../../api/queries'
import type { Task } from '../../api/types'
import { useNow, useStored } from '../../components/hooks'
import { Skeleton } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import { CancelTask, TaskProgress, TaskTarget, taskMark, took } from '../../pages/tasks/parts'
import { failedTasks, newestFirst, type Tab } from './drawerTasks'

const TaskDetails = lazy(() => import('../../pages/tasks/TaskDetails').then((module) => ({ default: module.TaskDetails })))

interface Props {
  project: string
  open: boolean
  onToggle: () => void
}

const DISMISSED_KEPT = 500

export function Drawer({ project, open, onToggle }: Props) {
  const tasks = newestFirst(useList('task', project).data?.items ?? [])
  const [dismissed, setDismissed] = useStored<string[]>('dismissed', [])
  const failed = failedTasks(tasks, dismissed)
  const dismiss = (gone: Task[]) => setDismissed([...dismissed, ...gone.map((task) => task.meta.uid)].slice(-DISMISSED_KEPT))
  const newest = tasks[0]
  const Arrow = open ? ChevronDown : ChevronUp
  return (
    <section aria-label="Tasks" className={`flex shrink-0 flex-col border-t border-line bg-panel ${open ? 'h-80' : 'h-9'} ${!open && !newest ? 'max-md:hidden' : ''}`}>
      <button
        type="button" aria-expanded={open} onClick={onToggle}
        className="flex h-9 w-full shrink-0 items-center gap-3 px-4 text-left hover:bg-hover"
      >
        <span className="font-medium">Tasks</span>
        {!open && newest && <Newest task={newest} />}
        <span className="ml-auto flex shrink-0 items-center gap-3">
          {failed.length > 0 && <StateMark state="failed" word={`${failed.length} failed`} />}
          <Arrow size={16} className="text-dim" aria-hidden="true" />
        </span>
      </button>
      {open && <Open tasks={tasks} failed={failed} onDismiss={dismiss} />}
    </section>
  )
}

function Newest({ task }: { task: Task }) {
  return (
    <>
      <span className="inline-flex shrink-0">{taskMark(task)}</span>
      <span className="min-w-0 truncate text-dim">
        {task.spec.action} {task.spec.target.name}
      </span>
      <span className="hidden w-48 sm:block">
        <TaskProgress task={task} />
      </span>
    </>
  )
}

function Open({ tasks, failed, onDismiss }: { tasks: Task[]; failed: Task[]; onDismiss: (tasks: Task[]) => void }) {
  const running = tasks.filter((task) => task.status.state === 'running')
  const [tab, setTab] = useState<Tab>(running.length > 0 ? 'Running' : failed.length > 0 ? 'Failed' : 'Recent')
  const lists: Record<Tab, Task[]> = { Running: running, Failed: failed, Recent: tasks.slice(0, 50) }
  const shown = lists[tab]
  return (
    <>
      <div role="tablist" aria-label="Which tasks" className="flex gap-1 border-b border-line px-3">
        {(['Running', 'Failed', 'Recent'] as const).map((name) => (
          <button
            key={name} type="button" role="tab" aria-selected={tab === name} onClick={() => setTab(name)}
            className={`-mb-px border-b-2 px-2 py-1 ${tab === name ? 'border-accent font-medium' : 'border-transparent text-dim'}`}
          >
            {name} {name !== 'Recent' && lists[name].length}
          </button>
        ))}
        {tab === 'Failed' && failed.length > 1 && (
          <button type="button" className="link ml-auto" onClick={() => onDismiss(failed)}>
            Dismiss all
          </button>
        )}
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-2" role="tabpanel" aria-label={tab}>
        <ul>
          {shown.map((task) => (
            <DrawerRow key={task.meta.uid} task={task} onDismiss={tab === 'Failed' ? () => onDismiss([task]) : undefined} />
          ))}
        </ul>
        {shown.length === 0 && <p className="py-8 text-center text-dim">No {tab.toLowerCase()} tasks.</p>}
      </div>
    </>
  )
}

/** A click anywhere on the row but on its links and buttons opens the details. */
function DrawerRow({ task, onDismiss }: { task: Task; onDismiss?: () => void }) {
  const now = useNow()
  const [open, setOpen] = useState(false)
  const error = task.status.outcome?.error
  const what = `${task.spec.action} ${task.spec.target.name}`
  const Arrow = open ? ChevronDown : ChevronRight
  return (
    <li className="border-b border-line last:border-0">
      <div className="relative flex min-h-9 flex-wrap items-center gap-x-3 rounded px-2 hover:bg-hover">
        <button
          type="button" aria-expanded={open} aria-label={`Details of ${what}`} onClick={() => setOpen(!open)}
          className="shrink-0 text-dim after:absolute after:inset-0"
        >
          <Arrow size={14} aria-hidden="true" />
        </button>
        <span className="shrink-0 md:w-28">{taskMark(task)}</span>
        <span className="min-w-0 truncate max-md:flex-1 md:w-64 md:shrink-0">
          {task.spec.action}{' '}
          <span className="relative">
            <TaskTarget task={task} />
          </span>
        </span>
        <span className="min-w-0 flex-1 truncate max-md:order-last max-md:basis-full max-md:pb-1 max-md:whitespace-normal max-md:empty:hidden">
          {error ? <span className="text-bad">{error.message}</span> : <TaskProgress task={task} />}
        </span>
        <span className="text-dim">{took(task, now)}</span>
        <span className="relative flex empty:hidden">
          <CancelTask task={task} />
          {onDismiss && (
            <button type="button" className="btn btn-quiet btn-icon" aria-label={`Dismiss ${what}`} onClick={onDismiss}>
              <X size={14} aria-hidden="true" />
            </button>
          )}
        </span>
      </div>
      {open && (
        <div className="px-2 pl-8">
          <Suspense fallback={<Skeleton rows={3} />}>
            <TaskDetails task={task} />
          </Suspense>
        </div>
      )}
    </li>
  )
}
