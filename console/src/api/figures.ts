// Figures of VMs and nodes: the last hour of one, asked again every few seconds for what is new.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { request } from './client'
import { mergeHour } from './hour'
import type { FigureList, Figures } from './types'

/** As often as the server measures. */
export const FIGURES_EVERY_MS = 5000

/** `path` is that of the VM or the node. */
export function useHour(path: string) {
  const cache = useQueryClient()
  const queryKey = ['figures', path]
  return useQuery({
    queryKey,
    queryFn: async ({ signal }) => {
      const known = cache.getQueryData<Figures>(queryKey)
      const last = known?.points.at(-1)?.time
      const since = last ? `?since=${encodeURIComponent(last)}` : ''
      return mergeHour(known, await request<Figures>('GET', `${path}/figures${since}`, { signal }))
    },
    refetchInterval: FIGURES_EVERY_MS,
    // What was known before the page was left may be far from what is new.
    gcTime: 0,
    retry: false,
  })
}

export function useNodeFigures() {
  return useQuery({
    queryKey: ['figures', 'nodes'],
    queryFn: ({ signal }) => request<FigureList>('GET', '/v1/figures', { signal }),
    refetchInterval: FIGURES_EVERY_MS,
    retry: false,
  })
}
