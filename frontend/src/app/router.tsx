/** Every page and its address. A page's code is loaded when it is first opened. */
import { QueryClient } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router'

import { isGone } from '@/lib/problems'
import { Problem } from '@/lib/api'
import { meQuery } from '@/lib/rights'
import { parseSearch, type Search, stringifySearch } from '@/lib/search'

import { Crash, MissingPage } from './Outside'

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < 2 && !isGone(error) && !(error instanceof Problem && error.status >= 400 && error.status < 500),
    },
  },
})

const root = createRootRoute({ component: Outlet, notFoundComponent: MissingPage, errorComponent: Crash })

const validateSearch = (search: Record<string, unknown>): Search => search as Search

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch,
  component: lazyRouteComponent(() => import('@/features/sign-in/SignInPage'), 'SignInPage'),
})

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  validateSearch,
  beforeLoad: async ({ location }) => {
    try {
      await client.ensureQueryData(meQuery)
    } catch (error) {
      if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
        const next = location.href === '/' ? undefined : location.href
        throw redirect({ to: '/sign-in', search: next ? { next } : {} })
      }
      throw error
    }
  },
  component: lazyRouteComponent(() => import('./shell/Shell'), 'Shell'),
  notFoundComponent: MissingPage,
})

const container = () => import('@/features/containers/ContainerPage')
const lists = { getParentRoute: () => shell, validateSearch }

const home = createRoute({ ...lists, path: '/', component: lazyRouteComponent(() => import('@/features/home/HomePage'), 'HomePage') })
const containers = createRoute({ ...lists, path: '/containers', component: lazyRouteComponent(() => import('@/features/containers/ContainersPage'), 'ContainersPage') })
const containerNew = createRoute({ ...lists, path: '/containers/new', component: lazyRouteComponent(() => import('@/features/containers/create/CreatePage'), 'CreatePage') })
const containerOne = createRoute({ ...lists, path: '/containers/$id', component: lazyRouteComponent(container, 'ContainerPage') })
const tab = { getParentRoute: () => containerOne, validateSearch }
const containerTabs = [
  createRoute({ ...tab, path: '/', component: lazyRouteComponent(() => import('@/features/containers/Overview'), 'Overview') }),
  createRoute({ ...tab, path: '/logs', component: lazyRouteComponent(() => import('@/features/containers/logs/LogsTab'), 'LogsTab') }),
  createRoute({ ...tab, path: '/stats', component: lazyRouteComponent(() => import('@/features/containers/stats/StatsTab'), 'StatsTab') }),
  createRoute({ ...tab, path: '/terminal', component: lazyRouteComponent(() => import('@/features/containers/terminal/TerminalTab'), 'TerminalTab') }),
  createRoute({ ...tab, path: '/inspect', component: lazyRouteComponent(() => import('@/features/containers/Inspect'), 'Inspect') }),
  createRoute({ ...tab, path: '/history', component: lazyRouteComponent(() => import('@/features/containers/History'), 'History') }),
]
const images = createRoute({ ...lists, path: '/images', component: lazyRouteComponent(() => import('@/features/images/ImagesPage'), 'ImagesPage') })
const imagePull = createRoute({ ...lists, path: '/images/pull', component: lazyRouteComponent(() => import('@/features/images/PullPage'), 'PullPage') })
const imageBuild = createRoute({ ...lists, path: '/images/build', component: lazyRouteComponent(() => import('@/features/images/BuildPage'), 'BuildPage') })
const imageOne = createRoute({ ...lists, path: '/images/$id', component: lazyRouteComponent(() => import('@/features/images/ImagePage'), 'ImagePage') })
const volumes = createRoute({ ...lists, path: '/volumes', component: lazyRouteComponent(() => import('@/features/volumes/VolumesPage'), 'VolumesPage') })
const volumeNew = createRoute({ ...lists, path: '/volumes/new', component: lazyRouteComponent(() => import('@/features/volumes/CreateVolumePage'), 'CreateVolumePage') })
const volumeOne = createRoute({ ...lists, path: '/volumes/$id', component: lazyRouteComponent(() => import('@/features/volumes/VolumePage'), 'VolumePage') })
const networks = createRoute({ ...lists, path: '/networks', component: lazyRouteComponent(() => import('@/features/networks/NetworksPage'), 'NetworksPage') })
const networkNew = createRoute({ ...lists, path: '/networks/new', component: lazyRouteComponent(() => import('@/features/networks/CreateNetworkPage'), 'CreateNetworkPage') })
const networkOne = createRoute({ ...lists, path: '/networks/$id', component: lazyRouteComponent(() => import('@/features/networks/NetworkPage'), 'NetworkPage') })
const hosts = createRoute({ ...lists, path: '/hosts', component: lazyRouteComponent(() => import('@/features/hosts/HostsPage'), 'HostsPage') })
const hostNew = createRoute({ getParentRoute: () => hosts, path: '/new', component: lazyRouteComponent(() => import('@/features/hosts/AddHostDialog'), 'AddHostDialog') })
const hostOne = createRoute({ ...lists, path: '/hosts/$id', component: lazyRouteComponent(() => import('@/features/hosts/HostPage'), 'HostPage') })
const registry = createRoute({ ...lists, path: '/registry', component: lazyRouteComponent(() => import('@/features/registry/RegistryPage'), 'RegistryPage') })
const repository = createRoute({ ...lists, path: '/registry/$id', component: lazyRouteComponent(() => import('@/features/registry/RepositoryPage'), 'RepositoryPage') })
const orders = createRoute({ ...lists, path: '/orders', component: lazyRouteComponent(() => import('@/features/orders/OrdersPage'), 'OrdersPage') })
const order = createRoute({ ...lists, path: '/orders/$id', component: lazyRouteComponent(() => import('@/features/orders/OrderPage'), 'OrderPage') })
const events = createRoute({ ...lists, path: '/events', component: lazyRouteComponent(() => import('@/features/events/EventsPage'), 'EventsPage') })
const audit = createRoute({ ...lists, path: '/audit', component: lazyRouteComponent(() => import('@/features/audit/AuditPage'), 'AuditPage') })
const tokens = createRoute({ ...lists, path: '/profile/tokens', component: lazyRouteComponent(() => import('@/features/tokens/TokensPage'), 'TokensPage') })

const missing = createRoute({ ...lists, path: '$', component: MissingPage })

const routeTree = root.addChildren([
  signIn,
  shell.addChildren([
    home, containers, containerNew, containerOne.addChildren(containerTabs), images, imagePull, imageBuild, imageOne,
    volumes, volumeNew, volumeOne, networks, networkNew, networkOne, hosts.addChildren([hostNew]), hostOne,
    registry, repository, orders, order, events, audit, tokens, missing,
  ]),
])

export const router = createRouter({ routeTree, parseSearch, stringifySearch, defaultPreload: 'intent', scrollRestoration: true, defaultErrorComponent: Crash })
