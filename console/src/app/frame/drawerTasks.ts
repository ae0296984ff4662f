// Which tasks the drawer shows. Pure.
import type { Task } from '../../api/types'

export type Tab = 'Running' | 'Failed' | 'Recent'

/** Uids are UUIDv7, so they order by time of creation. */
export function newestFirst(tasks: readonly Task[]): Task[] {
  return tasks.toSorted((a, b) => Date.parse(b.meta.created) - Date.parse(a.meta.created) || (a.meta.uid < b.meta.uid ? 1 : -1))
}

export function failedTasks(tasks: readonly Task[], dismissed: readonly string[]): Task[] {
  return tasks.filter((task) => task.status.state === 'failed' && !dismissed.includes(task.meta.uid))
}
