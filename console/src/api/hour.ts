// An hour of figures: what is new joined to what is known, and the columns that a chart takes. Pure.
import type { Figure, Figures } from './types'

export const HOUR_MS = 3_600_000

/** The newest points replace those of the same time; what lies more than an hour back goes. */
export function mergeHour(known: Figures | undefined, news: Figures): Figures {
  const first = news.points[0]
  if (!known || !first) return known && news.now ? { ...news, points: known.points } : news
  const before = known.points.filter((point) => Date.parse(point.time) < Date.parse(first.time))
  const points = [...before, ...news.points]
  const end = Date.parse(points.at(-1)?.time ?? first.time)
  return { ...news, points: points.filter((point) => Date.parse(point.time) > end - HOUR_MS) }
}

export type Quantity = Exclude<keyof Figure, 'time'>

/**
 * Times in seconds, and a column for each quantity. Where nothing was measured a point without values
 * breaks the line; the end of what no longer runs is no line to zero.
 */
export function columns(hour: Figures, quantities: readonly Quantity[]): [number[], ...(number | null)[][]] {
  const times: number[] = []
  const values: (number | null)[][] = quantities.map(() => [])
  for (const point of hour.points) {
    const time = Date.parse(point.time) / 1000
    const last = times.at(-1)
    if (last !== undefined && time - last > hour.step * 1.5) {
      times.push(last + hour.step)
      for (const column of values) column.push(null)
    }
    times.push(time)
    quantities.forEach((quantity, at) => values[at]?.push(point[quantity] ?? null))
  }
  return [times, ...values]
}

/** The newest and the largest value; nothing where no point knows any. */
export function extent(hour: Figures, quantity: Quantity): { now: number | undefined; most: number } | undefined {
  const known = hour.points.flatMap((point) => point[quantity] ?? [])
  const now = hour.now?.[quantity] ?? undefined
  if (known.length === 0 && now === undefined) return undefined
  return { now, most: Math.max(now ?? 0, ...known) }
}
