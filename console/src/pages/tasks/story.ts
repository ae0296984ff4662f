// What a task has done so far, what happened to its target meanwhile, and how long it may still take. Pure.
import type { ClusterEvent, Live, LogLine, Task } from '../../api/types'

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

/** Oldest first. The log is stored at the end; until then it comes with the progress. */
export function taskLog(task: Task): LogLine[] {
  return task.status.log.length > 0 ? task.status.log : (task.status.live?.log ?? [])
}

const TRUSTED_AFTER = 3_000

/** Milliseconds until the running step ends, if it goes on as until now; undefined while nobody can tell. */
export function timeLeft(live: Live, now: number): number | undefined {
  const begun = live.log.findLast((line) => line.text === live.step)
  if (!begun || live.done <= 0 || live.total <= live.done) return undefined
  const spent = now - Date.parse(begun.time)
  return spent < TRUSTED_AFTER ? undefined : (spent * (live.total - live.done)) / live.done
}
