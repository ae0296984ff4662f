// The last hour of a VM or a node: four charts, which are loaded when they are first looked at.
import { lazy, Suspense } from 'react'
import { useHour } from '../../api/figures'
import { extent, type Quantity } from '../../api/hour'
import type { Figures } from '../../api/types'
import { bytes, share, words } from '../format'
import { Loaded, Panel } from '../Page'

const Chart = lazy(() => import('./Chart'))

export interface Graph {
  title: string
  /** What a line is called, and its colour's name among the theme's. */
  lines: { quantity: Quantity; name: string; tone: 'accent' | 'ok' }[]
  say: (value: number) => string
  /** The top of the scale, unless values are larger. */
  top: number
}

function graphs(hour: Figures): Graph[] {
  const rate = (value: number) => `${bytes(Math.round(value))}/s`
  const cpus = Math.max(1, hour.cpus)
  return [
    { title: 'CPU', lines: [{ quantity: 'cpu', name: 'used', tone: 'accent' }], say: (value) => share(value, cpus), top: 100 * cpus },
    { title: 'Memory', lines: [{ quantity: 'memory', name: 'used', tone: 'accent' }], say: (value) => bytes(Math.round(value)), top: hour.memory_max },
    {
      title: 'Disk', say: rate, top: 2 ** 16,
      lines: [{ quantity: 'disk_read', name: 'read', tone: 'accent' }, { quantity: 'disk_written', name: 'written', tone: 'ok' }],
    },
    {
      title: 'Network', say: rate, top: 2 ** 16,
      lines: [{ quantity: 'network_received', name: 'received', tone: 'accent' }, { quantity: 'network_sent', name: 'sent', tone: 'ok' }],
    },
  ]
}

/** `unknown` says why a chart without any figures has none. */
export function HourCharts({ path, unknown }: { path: string; unknown?: Partial<Record<string, string>> }) {
  const query = useHour(path)
  return (
    <Panel title="Last hour" className="lg:col-span-2">
      <Loaded query={query} rows={4}>
        {(hour) =>
          hour.points.length === 0 && !hour.now ? (
            <p className="text-dim">Nothing was measured in the last hour.</p>
          ) : (
            <div className="grid gap-x-6 gap-y-4 md:grid-cols-2">
              {graphs(hour).map((graph) => (
                <GraphFigure key={graph.title} graph={graph} hour={hour} unknown={hour.points.length > 1 ? unknown?.[graph.title] : 'Being measured.'} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Panel>
  )
}

function GraphFigure({ graph, hour, unknown }: { graph: Graph; hour: Figures; unknown?: string }) {
  const known = graph.lines.flatMap((line) => {
    const found = extent(hour, line.quantity)
    return found ? [{ ...line, ...found }] : []
  })
  const sentence = known.map(({ name, now, most }) => `${name} ${now === undefined ? 'nothing now' : `${graph.say(now)} now`}, at most ${graph.say(most)}`)
  return (
    <figure className="min-w-0">
      <figcaption className="mb-1 flex flex-wrap items-baseline gap-x-3">
        <span className="font-medium">{graph.title}</span>
        {known.map((line) => (
          <span key={line.name} className="text-dim">
            <span className={`mr-1.5 inline-block h-0.5 w-3 align-middle ${line.tone === 'ok' ? 'bg-ok' : 'bg-accent'}`} aria-hidden="true" />
            {line.name} {line.now === undefined ? '–' : graph.say(line.now)}
          </span>
        ))}
      </figcaption>
      {known.length === 0 ? (
        <p className="text-dim">{unknown ?? 'Not known.'}</p>
      ) : (
        <div className="h-36" role="img" aria-label={`${graph.title} in the last hour: ${words(sentence.join('; '))}`}>
          <Suspense>
            <Chart graph={graph} hour={hour} />
          </Suspense>
        </div>
      )}
    </figure>
  )
}
