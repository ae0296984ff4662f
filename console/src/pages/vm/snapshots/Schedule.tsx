// What is taken by schedule: how many are kept, when the last was taken, when the next is due, what went wrong.
import { CalendarClock } from 'lucide-react'
import { useState } from 'react'
import type { Vm } from '../../../api/types'
import { dateTime } from '../../../components/format'
import { inWords, whenInWords } from './schedule'
import { ScheduleDialog } from './ScheduleDialog'

export function Schedule({ vm }: { vm: Vm }) {
  const [editing, setEditing] = useState(false)
  const schedule = vm.spec.snapshots
  const runs = vm.status.schedule?.runs ?? []
  return (
    <section className="panel mb-3 px-3 py-2" aria-label="Schedule">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p>{schedule ? `By schedule: keeps ${inWords(schedule)}, ${whenInWords(schedule)}` : 'No snapshots are taken by schedule.'}</p>
        <button type="button" className="btn" onClick={() => setEditing(true)}>
          <CalendarClock size={14} aria-hidden="true" /> {schedule ? 'Change the schedule' : 'Take them by schedule'}
        </button>
      </div>
      {schedule && runs.length > 0 && (
        <ul className="mt-1 space-y-0.5 text-dim">
          {runs.map((run) => (
            <li key={run.cadence} data-cadence={run.cadence}>
              {run.cadence}: {run.last_taken ? `last ${dateTime(run.last_taken)}` : 'none yet'}, next {dateTime(run.next)}
              {run.error && (
                <span className="block text-bad">
                  {run.error.message}
                  {run.retry_at && `; tried again at ${dateTime(run.retry_at)}`}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
      {editing && <ScheduleDialog vm={vm} onClose={() => setEditing(false)} />}
    </section>
  )
}
