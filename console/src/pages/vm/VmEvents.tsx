// What happened to one VM.
import { useEvents } from '../../api/queries'
import type { Vm } from '../../api/types'
import { CommandLine } from '../../components/Copy'
import { Empty, Loaded } from '../../components/Page'
import { FilteredEvents } from '../events/EventsPage'

export function VmEvents({ vm }: { vm: Vm }) {
  const query = useEvents(vm.meta.project ?? 'default', `vm/${vm.meta.name}`)
  return (
    <Loaded query={query}>
      {(events) =>
        events.length === 0 ? (
          <Empty text="Nothing has happened to it yet." command={<CommandLine text="novacron events --follow" />} />
        ) : (
          <FilteredEvents events={events} />
        )
      }
    </Loaded>
  )
}
