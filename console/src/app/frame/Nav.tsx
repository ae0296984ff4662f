// Where one can go: the side navigation, and the bar at the bottom of a phone.
import { Link } from '@tanstack/react-router'
import {
  Activity, CircleGauge, Database, Disc3, Ellipsis, HardDrive, KeyRound, ListChecks, Monitor, Network, Server, Settings,
  type LucideIcon,
} from 'lucide-react'
import { useState } from 'react'
import { Dialog } from '../../components/Dialog'

interface Place {
  to: string
  label: string
  icon: LucideIcon
  exact?: boolean
  /** Goes there after `g`. */
  key?: string
}

export function projectPlaces(project: string): Place[] {
  const base = `/p/${project}`
  return [
    { to: base, label: 'Overview', icon: CircleGauge, exact: true, key: 'o' },
    { to: `${base}/vms`, label: 'VMs', icon: Monitor, key: 'v' },
    { to: `${base}/volumes`, label: 'Volumes', icon: HardDrive, key: 'd' },
    { to: `${base}/images`, label: 'Images', icon: Disc3, key: 'i' },
    { to: `${base}/networks`, label: 'Networks', icon: Network, key: 'w' },
    { to: `${base}/tasks`, label: 'Tasks', icon: ListChecks, key: 't' },
    { to: `${base}/events`, label: 'Events', icon: Activity, key: 'e' },
  ]
}

export const SYSTEM_PLACES: Place[] = [
  { to: '/nodes', label: 'Nodes', icon: Server, key: 'n' },
  { to: '/pools', label: 'Pools', icon: Database, key: 'p' },
  { to: '/tokens', label: 'Tokens', icon: KeyRound },
  { to: '/settings', label: 'Settings', icon: Settings },
]

function NavLink({ place, onClick }: { place: Place; onClick?: () => void }) {
  return (
    <Link
      to={place.to} onClick={onClick} activeOptions={{ exact: place.exact ?? false, includeSearch: false }}
      className="flex h-8 items-center gap-2.5 rounded-md px-2.5 text-dim hover:bg-hover hover:text-ink"
      activeProps={{ className: 'bg-accent-soft font-medium text-accent! hover:bg-accent-soft', 'aria-current': 'page' }}
    >
      <place.icon size={16} aria-hidden="true" />
      {place.label}
    </Link>
  )
}

export function SideNav({ project }: { project: string }) {
  return (
    <nav aria-label="Main" className="hidden w-48 shrink-0 flex-col gap-0.5 overflow-y-auto border-r border-line bg-panel p-2 md:flex">
      {projectPlaces(project).map((place) => (
        <NavLink key={place.to} place={place} />
      ))}
      <h2 className="mt-4 mb-1 px-2.5 text-xs font-medium text-dim">System</h2>
      {SYSTEM_PLACES.map((place) => (
        <NavLink key={place.to} place={place} />
      ))}
    </nav>
  )
}

export function BottomBar({ project }: { project: string }) {
  const [more, setMore] = useState(false)
  const [overview, vms, ...rest] = projectPlaces(project)
  const tasks = rest.find((place) => place.label === 'Tasks')
  const item = 'flex h-14 flex-1 flex-col items-center justify-center gap-0.5 text-xs text-dim'
  return (
    <nav aria-label="Main" className="flex border-t border-line bg-panel pb-[env(safe-area-inset-bottom)] md:hidden">
      {[overview, vms, tasks].map(
        (place) =>
          place && (
            <Link
              key={place.to} to={place.to} className={item} activeOptions={{ exact: place.exact ?? false, includeSearch: false }}
              activeProps={{ className: 'text-accent! font-medium', 'aria-current': 'page' }}
            >
              <place.icon size={20} aria-hidden="true" />
              {place.label}
            </Link>
          ),
      )}
      <button type="button" className={item} aria-haspopup="dialog" onClick={() => setMore(true)}>
        <Ellipsis size={20} aria-hidden="true" />
        More
      </button>
      {more && (
        <Dialog title="More" onClose={() => setMore(false)}>
          <div className="grid gap-1">
            {[...rest.filter((place) => place !== tasks), ...SYSTEM_PLACES].map((place) => (
              <NavLink key={place.to} place={place} onClick={() => setMore(false)} />
            ))}
          </div>
        </Dialog>
      )}
    </nav>
  )
}
