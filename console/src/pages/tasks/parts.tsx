// Pieces that show a task, used by the drawer, the tasks page and the overview.
import { Link } from '@tanstack/react-router'
import { cancelTask } from '../../api/actions'
import { displayKind } from '../../api/kinds'
import type { ObjectRef, Task } from '../../api/types'
import { percent, span } from '../../components/format'
import { useNow } from '../../components/hooks'
import { notifyError } from '../../components/notices'
import { StateMark } from '../../components/StateMark'
import { refHref } from './href'
import { timeLeft } from './story'

export function taskMark(task: Task) {
  const state = task.status.state
  return state === 'running' ? <StateMark state="in_progress" word="running" /> : <StateMark state={state} />
}

export function took(task: Task, now: number): string {
  const end = task.status.outcome ? Date.parse(task.status.outcome.finished) : now
  return span(end - Date.parse(task.meta.created))
}

export function RefLink({ target }: { target: ObjectRef }) {
  const href = refHref(target)
  const text = `${displayKind(target.kind)} ${target.name}`
  return href ? (
    <Link to={href} className="link">
      {text}
    </Link>
  ) : (
    <>{text}</>
  )
}

export function TaskTarget({ task }: { task: Task }) {
  return <RefLink target={task.spec.target} />
}

export function TaskProgress({ task }: { task: Task }) {
  const now = useNow()
  const live = task.status.live
  if (task.status.state !== 'running' || !live) return null
  const share = percent(live.done, live.total)
  const left = timeLeft(live, now)
  return (
    <span className="flex min-w-0 items-center gap-2">
      <span className="min-w-0 truncate text-dim">
        {live.of > 1 && `Step ${live.number} of ${live.of}: `}
        {live.step}
      </span>
      {live.total > 0 && (
        <span
          className="h-1.5 w-20 shrink-0 overflow-hidden rounded-full bg-line" role="progressbar" aria-label={live.step}
          aria-valuenow={share} aria-valuemin={0} aria-valuemax={100}
        >
          <span className="block h-full bg-accent" style={{ width: `${share}%` }} />
        </span>
      )}
      {live.total > 0 && <span className="w-9 text-right">{share} %</span>}
      {left !== undefined && <span className="shrink-0 text-dim max-md:hidden">{span(left)} left</span>}
    </span>
  )
}

export function CancelTask({ task }: { task: Task }) {
  if (task.status.state !== 'running') return null
  const cancel = () => {
    cancelTask(task).catch((error: unknown) => notifyError(`Cannot cancel ${task.spec.action} ${task.spec.target.name}`, error))
  }
  return (
    <button type="button" className="btn btn-quiet h-7" disabled={task.spec.cancel} onClick={cancel}>
      {task.spec.cancel ? 'Cancelling' : 'Cancel'}
    </button>
  )
}
