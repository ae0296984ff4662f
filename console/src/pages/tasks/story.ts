// What happened to a task's target while the task ran. Pure.
import type { ClusterEvent, Task } from '../../api/types'

/** Newest first, as given. The target is known by its uid: a name may be used again. */
export function eventsDuring(task: Task, events: readonly ClusterEvent[]): ClusterEvent[] {
  const from = Date.parse(task.meta.created)
  const finished = task.status.outcome?.finished
  const until = finished ? Date.parse(finished) : Infinity
  return events.filter((event) => {
    const at = Date.parse(event.time)
    return event.object?.uid === task.spec.target.uid && at >= from && at <= until
  })
}
