// The console's pages and their URLs. Pages beyond the lists are loaded when they are first needed.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router'
import { queryClient } from '../api/cache'
import { asProblem } from '../api/client'
import { sessionQuery, systemQuery } from '../api/queries'
import { readListSearch } from '../components/table/listState'
import { VmsPage } from '../pages/vms/VmsPage'
import { Frame } from './frame/Frame'
import { lastProject } from './project'
import { Failed, NotFound, Starting } from './states'

const root = createRootRoute({ component: Outlet })

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/signin',
  validateSearch: (search): { ended?: string } => (search.ended ? { ended: '1' } : {}),
  component: lazyRouteComponent(() => import('../pages/signin/SignInPage'), 'SignInPage'),
})

/** Everything behind the sign-in. */
const frame = createRoute({
  getParentRoute: () => root,
  id: 'frame',
  component: Frame,
  pendingComponent: Starting,
  errorComponent: Failed,
  beforeLoad: async () => {
    try {
      await Promise.all([queryClient.query({ ...sessionQuery, staleTime: 'static' }), queryClient.query({ ...systemQuery, staleTime: 'static' })])
    } catch (error) {
      if (asProblem(error).status === 401) throw redirect({ to: '/signin' })
      throw error
    }
  },
})

const home = createRoute({
  getParentRoute: () => frame,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/p/$project', params: { project: lastProject() } })
  },
})

const project = createRoute({ getParentRoute: () => frame, path: '/p/$project', validateSearch: readListSearch })

const page = <P extends string>(path: P, component: Parameters<typeof createRoute>[0]['component']) =>
  createRoute({ getParentRoute: () => project, path, component })

const systemPage = <P extends string>(path: P, component: Parameters<typeof createRoute>[0]['component']) =>
  createRoute({ getParentRoute: () => frame, path, component, validateSearch: readListSearch })

const vm = lazyRouteComponent(() => import('../pages/vm/VmPage'), 'VmPage')
const node = lazyRouteComponent(() => import('../pages/nodes/NodePage'), 'NodePage')

const routes = root.addChildren([
  signIn,
  frame.addChildren([
    home,
    project.addChildren([
      page('/', lazyRouteComponent(() => import('../pages/overview/OverviewPage'), 'OverviewPage')),
      page('/vms', VmsPage),
      page('/vms/$name', vm),
      page('/vms/$name/$tab', vm),
      page('/launch', lazyRouteComponent(() => import('../pages/launch/LaunchPage'), 'LaunchPage')),
      page('/volumes', lazyRouteComponent(() => import('../pages/volumes/VolumesPage'), 'VolumesPage')),
      page('/images', lazyRouteComponent(() => import('../pages/images/ImagesPage'), 'ImagesPage')),
      page('/networks', lazyRouteComponent(() => import('../pages/networks/NetworksPage'), 'NetworksPage')),
      page('/tasks', lazyRouteComponent(() => import('../pages/tasks/TasksPage'), 'TasksPage')),
      page('/tasks/$name', lazyRouteComponent(() => import('../pages/tasks/TaskPage'), 'TaskPage')),
      page('/events', lazyRouteComponent(() => import('../pages/events/EventsPage'), 'EventsPage')),
      page('/$', NotFound),
    ]),
    systemPage('/nodes', lazyRouteComponent(() => import('../pages/nodes/NodesPage'), 'NodesPage')),
    systemPage('/nodes/$name', node),
    systemPage('/nodes/$name/$tab', node),
    systemPage('/pools', lazyRouteComponent(() => import('../pages/pools/PoolsPage'), 'PoolsPage')),
    systemPage('/tokens', lazyRouteComponent(() => import('../pages/tokens/TokensPage'), 'TokensPage')),
    systemPage('/settings', lazyRouteComponent(() => import('../pages/settings/SettingsPage'), 'SettingsPage')),
    systemPage('/$', NotFound),
  ]),
])

export const router = createRouter({
  routeTree: routes,
  defaultPreload: 'intent',
  defaultErrorComponent: Failed,
  defaultPendingMs: 200,
  // The query is read by people: plain text, no JSON.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const text = new URLSearchParams(readListSearch(search)).toString()
    return text ? `?${text}` : ''
  },
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
