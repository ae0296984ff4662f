// What the VMs in sight use: each row says that it is there, and one request asks for all of them every
// few seconds. Rows are told one by one, so that a list is not drawn again for it.
import { useCallback, useSyncExternalStore } from 'react'
import { request } from './client'
import { FIGURES_EVERY_MS } from './figures'
import type { FigureList, FigureSummary } from './types'

/** Rows that come into sight are asked for together, not while they fly past. */
const GATHER_MS = 250
/** As many as the server takes at once. */
const AT_ONCE = 200

type Listener = () => void

class Summaries {
  private readonly project: string
  private readonly rows = new Map<string, Set<Listener>>()
  private readonly known = new Map<string, FigureSummary>()
  private gathering: ReturnType<typeof setTimeout> | undefined
  private every: ReturnType<typeof setInterval> | undefined

  constructor(project: string) {
    this.project = project
  }

  get(name: string): FigureSummary | undefined {
    return this.known.get(name)
  }

  follow(name: string, listener: Listener): () => void {
    const row = this.rows.get(name) ?? new Set()
    this.rows.set(name, row.add(listener))
    this.every ??= setInterval(() => void this.ask([...this.rows.keys()]), FIGURES_EVERY_MS)
    if (!this.known.has(name)) {
      this.gathering ??= setTimeout(() => {
        this.gathering = undefined
        void this.ask([...this.rows.keys()].filter((each) => !this.known.has(each)))
      }, GATHER_MS)
    }
    return () => this.leave(name, row, listener)
  }

  private leave(name: string, row: Set<Listener>, listener: Listener): void {
    row.delete(listener)
    if (row.size > 0) return
    this.rows.delete(name)
    if (this.rows.size > 0) return
    clearInterval(this.every)
    this.every = undefined
    // Whoever comes back later wants no old figures.
    this.known.clear()
  }

  private async ask(names: string[]): Promise<void> {
    if (document.hidden) return
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const some = names.slice(at, at + AT_ONCE).join(',')
      try {
        const list = await request<FigureList>('GET', `/v1/projects/${this.project}/figures?names=${some}`)
        for (const item of list.items) this.tell(item)
      } catch {
        // The banner tells of a server that does not answer; the next round asks again.
      }
    }
  }

  private tell(item: FigureSummary): void {
    const row = this.rows.get(item.name)
    if (!row) return
    this.known.set(item.name, item)
    for (const listener of row) listener()
  }
}

const projects = new Map<string, Summaries>()

function summariesOf(project: string): Summaries {
  const summaries = projects.get(project) ?? new Summaries(project)
  projects.set(project, summaries)
  return summaries
}

/** What a VM uses, as long as somebody looks at it. */
export function useSummary(project: string, name: string): FigureSummary | undefined {
  const summaries = summariesOf(project)
  const follow = useCallback((listener: Listener) => summaries.follow(name, listener), [summaries, name])
  return useSyncExternalStore(follow, () => summaries.get(name))
}
