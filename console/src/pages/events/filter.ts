// Which events a text and a level let through. Pure.
import type { ClusterEvent, Level } from '../../api/types'

const ORDER: Level[] = ['info', 'warning', 'error']

/** `level` and what is worse; every word must be found in the text, kind, object or actor. */
export function eventMatches(event: ClusterEvent, text: string, level: string): boolean {
  const least = ORDER.indexOf(level as Level)
  if (least > ORDER.indexOf(event.level)) return false
  const object = event.object ? `${event.object.kind}/${event.object.name}` : ''
  const haystack = [event.text, event.kind, object, event.actor].join('\n').toLowerCase()
  return text.toLowerCase().split(/\s+/).every((word) => haystack.includes(word))
}
