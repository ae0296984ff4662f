// What stands around every page: top bar, banner, navigation, task drawer, key bindings.
import { Outlet, useLocation, useNavigate, useRouter } from '@tanstack/react-router'
import { Suspense, useCallback, useEffect, useRef, useState, type ReactNode } from 'react'
import { onSignedOut } from '../../api/client'
import { Notices } from '../../components/Notices'
import { listOf } from '../back'
import { useKeys } from '../keys'
import { useLiveStream } from '../liveState'
import { OpenSearch } from '../openSearch'
import { rememberProject, useProject } from '../project'
import { Banner } from './Banner'
import { Drawer } from './Drawer'
import { Help } from './Help'
import { BottomBar, projectPlaces, SideNav, SYSTEM_PLACES } from './Nav'
import { Palette } from './Palette'
import { TopBar } from './TopBar'

type Over = 'help' | 'search' | ((close: () => void) => ReactNode) | undefined

export function Frame() {
  const project = useProject()
  const navigate = useNavigate()
  const [over, setOver] = useState<Over>()
  const [drawer, setDrawer] = useState(false)
  const close = useCallback(() => setOver(undefined), [])
  const search = useCallback(() => setOver('search'), [])
  const signedOut = useCallback(() => void navigate({ to: '/signin', search: { ended: '1' } }), [navigate])

  useLiveStream(project, signedOut)
  useEffect(() => onSignedOut(signedOut), [signedOut])
  useEffect(() => rememberProject(project), [project])
  const goBack = useBack()
  useFrameKeys(project, setOver, () => (drawer ? setDrawer(false) : goBack()))

  return (
    <div className="flex h-dvh flex-col overflow-hidden bg-page">
      <a href="#content" className="btn absolute top-2 left-2 z-50 -translate-y-20 focus:translate-y-0">
        Skip to content
      </a>
      <TopBar project={project} onSearch={search} onHelp={() => setOver('help')} onTasks={() => setDrawer(!drawer)} />
      <Banner />
      <div className="flex min-h-0 flex-1">
        <SideNav project={project} />
        <main id="content" className="min-h-0 min-w-0 flex-1 overflow-y-auto" tabIndex={-1}>
          <OpenSearch value={search}>
            <Outlet />
          </OpenSearch>
        </main>
      </div>
      <Drawer project={project} open={drawer} onToggle={() => setDrawer(!drawer)} />
      <BottomBar project={project} />
      <Notices />
      {over === 'help' && <Help onClose={close} />}
      {over === 'search' && (
        <Palette project={project} onClose={close} onHelp={() => setOver('help')} onDialog={(content) => setOver(() => content)} />
      )}
      {typeof over === 'function' && <Suspense>{over(close)}</Suspense>}
    </div>
  )
}

function useFrameKeys(project: string, setOver: (over: Over) => void, close: () => void) {
  const navigate = useNavigate()
  const go = (to: string) => () => void navigate({ to })
  useKeys({
    '?': () => setOver('help'),
    '/': () => setOver('search'),
    'Ctrl-K': () => setOver('search'),
    ...Object.fromEntries([...projectPlaces(project), ...SYSTEM_PLACES].filter((place) => place.key).map((place) => [`g ${place.key}`, go(place.to)])),
    c: go(`/p/${project}/launch`),
    f: () => document.querySelector<HTMLElement>('[data-filter]')?.focus(),
    Escape: close,
  })
}

/** From an object's page to its list, filtered and sorted as it was left. */
function useBack(): () => void {
  const { history } = useRouter()
  const { pathname, href } = useLocation()
  const left = useRef(new Map<string, string>())
  useEffect(() => {
    left.current.set(pathname, href)
  }, [pathname, href])
  return () => {
    const list = listOf(pathname)
    if (list) history.push(left.current.get(list) ?? list)
  }
}
