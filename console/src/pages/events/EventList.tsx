// Events as lines, newest first.
import type { ClusterEvent } from '../../api/types'
import { dateTime, words } from '../../components/format'
import { StateMark } from '../../components/StateMark'
import { RefLink } from '../tasks/parts'

export function EventList({ events, brief }: { events: ClusterEvent[]; brief?: boolean }) {
  return (
    <ul className="divide-y divide-line">
      {events.map((event) => (
        <li key={event.sequence} className="flex min-h-9 flex-wrap items-center gap-x-4 px-3 py-1" data-event={event.kind}>
          <time className="shrink-0 text-dim" dateTime={event.time}>
            {brief ? dateTime(event.time).slice(5, 16) : dateTime(event.time)}
          </time>
          {(!brief || event.level !== 'info') && (
            <span className={brief ? '' : 'w-20 shrink-0'}>
              <StateMark state={event.level} />
            </span>
          )}
          {!brief && <span className="w-40 shrink-0 truncate max-md:hidden">{event.object && <RefLink target={event.object} />}</span>}
          {!brief && <span className="w-36 shrink-0 truncate text-dim max-lg:hidden">{words(event.kind)}</span>}
          <span className="min-w-0 flex-1 basis-60">{event.text}</span>
          {!brief && <span className="text-dim">{event.actor}</span>}
        </li>
      ))}
    </ul>
  )
}
