// The top bar: project switch, search, Launch, running tasks, theme, user.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { CircleHelp, LoaderCircle, LogOut, Moon, Plus, Search, Sun, SunMoon, UserRound } from 'lucide-react'
import { sessionQuery, useList } from '../../api/queries'
import { Menu } from '../../components/Menu'
import { setTheme, useTheme, type Theme } from '../theme'
import { ProjectSwitch } from './ProjectSwitch'
import { useSignOut } from './useSignOut'

interface Props {
  project: string
  onSearch: () => void
  onHelp: () => void
  onTasks: () => void
}

export function TopBar({ project, onSearch, onHelp, onTasks }: Props) {
  return (
    <header className="flex h-12 shrink-0 items-center gap-2 border-b border-line bg-panel px-3">
      <Link to="/p/$project" params={{ project }} className="flex items-center gap-2 pr-1 font-semibold" aria-label="NovaCron, overview">
        <img src="/favicon.svg" alt="" width={22} height={22} />
        <span className="hidden sm:inline">NovaCron</span>
      </Link>
      <ProjectSwitch project={project} />
      <button
        type="button" onClick={onSearch} aria-label="Search" aria-keyshortcuts="/"
        className="btn ml-auto h-8 justify-start text-dim max-md:w-8 max-md:px-0 max-md:justify-center md:mx-auto md:w-full md:max-w-sm"
      >
        <Search size={15} aria-hidden="true" />
        <span className="hidden flex-1 text-left font-normal md:inline">Search</span>
        <kbd className="hidden rounded border border-line px-1.5 text-xs md:inline">/</kbd>
      </button>
      <Link to="/p/$project/launch" params={{ project }} className="btn btn-primary" aria-keyshortcuts="c">
        <Plus size={15} aria-hidden="true" />
        Launch
      </Link>
      <RunningTasks project={project} onClick={onTasks} />
      <ThemeMenu />
      <UserMenu onHelp={onHelp} />
    </header>
  )
}

function RunningTasks({ project, onClick }: { project: string; onClick: () => void }) {
  const tasks = useList('task', project).data?.items ?? []
  const running = tasks.filter((task) => task.status.state === 'running').length
  if (running === 0) return null
  return (
    <button type="button" className="btn btn-quiet px-2 text-busy" aria-label={`${running} running tasks`} onClick={onClick}>
      <LoaderCircle size={15} className="animate-spin" aria-hidden="true" />
      {running}
    </button>
  )
}

const THEMES: { theme: Theme; label: string; Icon: typeof Sun }[] = [
  { theme: 'system', label: 'As the system', Icon: SunMoon },
  { theme: 'light', label: 'Light', Icon: Sun },
  { theme: 'dark', label: 'Dark', Icon: Moon },
]

function ThemeMenu() {
  const theme = useTheme()
  const Icon = THEMES.find((each) => each.theme === theme)?.Icon ?? Sun
  return (
    <Menu
      label="Theme" className="btn btn-quiet btn-icon max-sm:hidden" button={<Icon size={16} aria-hidden="true" />}
      items={THEMES.map((each) => ({ label: each.label, checked: theme === each.theme, onSelect: () => setTheme(each.theme) }))}
    />
  )
}

function UserMenu({ onHelp }: { onHelp: () => void }) {
  const navigate = useNavigate()
  const { data: session } = useQuery(sessionQuery)
  const leave = useSignOut()
  return (
    <Menu
      label={`User ${session?.user ?? ''}`} className="btn btn-quiet btn-icon" button={<UserRound size={16} aria-hidden="true" />}
      items={[
        { label: 'Keys and help', icon: <CircleHelp size={14} />, onSelect: onHelp },
        { label: 'Settings', icon: <SunMoon size={14} />, onSelect: () => void navigate({ to: '/settings' }) },
        { label: 'Sign out', icon: <LogOut size={14} />, onSelect: leave },
      ]}
    />
  )
}
