// One chart, drawn by uPlot. Loaded apart from the rest; what it shows is said in words by its parent.
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { columns, HOUR_MS } from '../../api/hour'
import type { Figures } from '../../api/types'
import { useDark } from '../../app/theme'
import { clock } from '../format'
import type { Graph } from './HourCharts'

const HEIGHT = 144
/** Steps of an axis of bytes: powers of two read well, others do not. */
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power)

export default function Chart({ graph, hour }: { graph: Graph; hour: Figures }) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const latest = useRef({ graph, hour })
  const dark = useDark()

  useEffect(() => {
    const place = box.current
    if (!place) return
    const data = () => columns(latest.current.hour, latest.current.graph.lines.map((line) => line.quantity))
    const made = new uPlot(options(latest, place.clientWidth), data(), place)
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: place.clientWidth, height: HEIGHT }))
    observer.observe(place)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = undefined
    }
    // The theme's colours are read when a chart is made.
  }, [dark])

  useEffect(() => {
    latest.current = { graph, hour }
    plot.current?.setData(columns(hour, graph.lines.map((line) => line.quantity)))
  }, [graph, hour])

  return <div ref={box} className="h-full overflow-hidden" aria-hidden="true" />
}

function options(latest: { current: { graph: Graph } }, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const { graph } = latest.current
  const axis: uPlot.Axis = {
    stroke: colour('dim'), font: '11px sans-serif', grid: { stroke: colour('line'), width: 1 }, ticks: { show: false },
  }
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range: () => lastHour() },
      y: { range: (_, __, most) => [0, Math.max(most || 0, latest.current.graph.top)] },
    },
    axes: [
      { ...axis, values: (_, times) => times.map((time) => clock(new Date(time * 1000))), size: 24, space: 60 },
      { ...axis, ...(graph.title !== 'CPU' && { incrs: BINARY }), values: (_, values) => values.map((value) => latest.current.graph.say(value)), size: 74, space: 36 },
    ],
    series: [
      {},
      ...graph.lines.map((line) => ({
        label: line.name, stroke: colour(line.tone), width: 1.5, points: { show: false }, spanGaps: false,
        ...(graph.lines.length === 1 && { fill: colour('accent-soft') }),
      })),
    ],
  }
}

function lastHour(): [number, number] {
  const now = Date.now()
  return [(now - HOUR_MS) / 1000, now / 1000]
}
