// A quarter of an hour of CPU as a small line beside its newest number.
import type { FigureSummary } from '../../api/types'
import { share } from '../format'
import { Dash } from '../cells'

const WIDTH = 56
const HEIGHT = 18
/** A line is drawn as if at least this share of the CPUs could be seen: noise stays small. */
const LEAST = 0.25

export function CpuSpark({ summary }: { summary: FigureSummary | undefined }) {
  const cpu = summary?.now?.cpu
  if (!summary || cpu === undefined || cpu === null || summary.cpus === 0) return <Dash />
  const shares = summary.trend.map((each) => (each === null ? null : each / 1000 / summary.cpus))
  return (
    <span className="inline-flex items-center justify-end gap-2">
      {share(cpu, summary.cpus)}
      <Spark shares={shares} />
    </span>
  )
}

function Spark({ shares }: { shares: readonly (number | null)[] }) {
  const most = Math.max(0, ...shares.map((each) => each ?? 0))
  const label = `CPU in the last 15 minutes: at most ${Math.round(most * 100)} %`
  return (
    <svg width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label} className="shrink-0 text-accent">
      <path d={pathOf(shares, Math.max(LEAST, most))} fill="none" stroke="currentColor" strokeWidth="1.25" strokeLinejoin="round" />
    </svg>
  )
}

/** Each run of known values is a line of its own. */
export function pathOf(shares: readonly (number | null)[], top: number): string {
  const step = WIDTH / Math.max(1, shares.length - 1)
  let path = ''
  let drawn = false
  shares.forEach((each, at) => {
    if (each === null) {
      drawn = false
      return
    }
    const y = HEIGHT - 1 - Math.min(1, each / top) * (HEIGHT - 2)
    path += `${drawn ? 'L' : 'M'}${(at * step).toFixed(1)} ${y.toFixed(1)}`
    drawn = true
  })
  return path
}
