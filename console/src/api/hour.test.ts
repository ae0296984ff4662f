import { expect, test } from 'vitest'
import { columns, extent, mergeHour } from './hour'
import type { Figure, Figures } from './types'

const NOON = Date.parse('2030-01-31T12:00:00Z')
const point = (seconds: number, cpu?: number): Figure => ({ time: new Date(NOON + seconds * 1000).toISOString(), cpu })
const hour = (...points: Figure[]): Figures => ({ step: 15, cpus: 2, memory_max: 1, now: points.at(-1), points })

test('new points replace those of the same time and old ones go', () => {
  const merged = mergeHour(hour(point(0, 1), point(15, 2)), hour(point(15, 3), point(30, 4)))
  expect(merged.points.map((each) => each.cpu)).toEqual([1, 3, 4])
  const later = mergeHour(merged, hour(point(3615, 9)))
  expect(later.points.map((each) => each.cpu)).toEqual([4, 9])
})

test('an answer without points takes nothing away while it runs, and all once nothing is known any more', () => {
  const known = hour(point(0, 1))
  expect(mergeHour(known, { ...hour(), now: point(5, 1) }).points).toHaveLength(1)
  expect(mergeHour(known, hour()).points).toHaveLength(0)
})

test('a gap breaks the line, and what is not known is no zero', () => {
  const [times, cpu, memory] = columns(hour(point(0, 1), point(15, 2), point(120, 3)), ['cpu', 'memory'])
  expect(times.map((time) => time - NOON / 1000)).toEqual([0, 15, 30, 120])
  expect(cpu).toEqual([1, 2, null, 3])
  expect(memory).toEqual([null, null, null, null])
})

test('a quantity that nobody counts has no extent', () => {
  const all = hour(point(0, 7), point(15, 3))
  expect(extent(all, 'cpu')).toEqual({ now: 3, most: 7 })
  expect(extent(all, 'network_sent')).toBeUndefined()
})
