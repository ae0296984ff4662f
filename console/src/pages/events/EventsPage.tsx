// What happened in the project, as it happens.
import { Search } from 'lucide-react'
import { useState } from 'react'
import { useEvents } from '../../api/queries'
import type { ClusterEvent } from '../../api/types'
import { useProject } from '../../app/project'
import { CommandLine } from '../../components/Copy'
import { Empty, Loaded, Page } from '../../components/Page'
import { useListState } from '../../components/table/listState'
import { EventList } from './EventList'
import { eventMatches } from './filter'

export function EventsPage() {
  const query = useEvents(useProject())
  const [held, setHeld] = useState<ClusterEvent[]>()
  return (
    <Page
      title="Events"
      actions={
        <label className="flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={!held} onChange={(event) => setHeld(event.target.checked ? undefined : query.data)} />
          Follow
        </label>
      }
    >
      <Loaded query={query} rows={10}>
        {(events) =>
          events.length === 0 ? (
            <Empty text="Nothing has happened yet." command={<CommandLine text="novacron events --follow" />} />
          ) : (
            <FilteredEvents events={held ?? events} />
          )
        }
      </Loaded>
    </Page>
  )
}

export function FilteredEvents({ events }: { events: ClusterEvent[] }) {
  const state = useListState()
  const shown = events.filter((event) => eventMatches(event, state.q, state.level))
  return (
    <>
      <div className="mb-2 flex flex-wrap items-center gap-2">
        <div className="relative w-full sm:w-64">
          <Search size={14} className="pointer-events-none absolute top-2.5 left-2.5 text-dim" aria-hidden="true" />
          <input
            type="search" className="input pl-8" placeholder="Filter" aria-label="Filter by text" data-filter="" value={state.q}
            onChange={(event) => state.set({ q: event.target.value })}
          />
        </div>
        <select className="input w-auto" aria-label="Filter by level" value={state.level} onChange={(event) => state.set({ level: event.target.value })}>
          <option value="">Any level</option>
          <option value="warning">warning and error</option>
          <option value="error">error</option>
        </select>
        <span className="ml-auto text-dim" role="status">
          {shown.length === events.length ? events.length : `${shown.length} of ${events.length}`}
        </span>
      </div>
      <div className="panel overflow-hidden">
        <EventList events={shown} />
        {shown.length === 0 && <p className="py-6 text-center text-dim">Nothing matches.</p>}
      </div>
    </>
  )
}
