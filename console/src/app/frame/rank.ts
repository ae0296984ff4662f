// Orders search results: whole names first, then beginnings, then what contains the text, then what has
// all of its words. Pure.
import type { ReactNode } from 'react'

export interface Hit {
  /** Unique among the hits. */
  id: string
  what: string
  name: string
  state?: string
  /** Which keys lead there without the search. */
  keys?: string
  /** Where it leads … */
  to?: string
  /** … or what it does … */
  run?: () => void
  /** … or the dialog that it opens. */
  dialog?: (close: () => void) => ReactNode
}

const SHOWN = 50

export function rank(hits: readonly Hit[], text: string): Hit[] {
  const wanted = text.trim().toLowerCase().replace(/\s+/g, ' ')
  if (!wanted) return hits.slice(0, SHOWN)
  const words = wanted.split(' ')
  const scored = hits.map((hit) => ({ hit, score: score(hit, wanted, words) })).filter(({ score }) => score > 0)
  scored.sort((a, b) => b.score - a.score || a.hit.name.localeCompare(b.hit.name, 'en', { numeric: true }))
  return scored.slice(0, SHOWN).map(({ hit }) => hit)
}

function score(hit: Hit, wanted: string, words: readonly string[]): number {
  const name = hit.name.toLowerCase()
  if (name === wanted) return 4
  if (name.startsWith(wanted)) return 3
  if (name.includes(wanted)) return 2
  const all = `${hit.what} ${name}`.toLowerCase()
  return words.every((word) => all.includes(word)) ? 1 : 0
}

const NAMED_MAX = 20

/** Those of which a word of the text is a part of the name. */
export function namedBy<T extends { meta: { name: string } }>(text: string, objects: readonly T[]): T[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  return objects.filter(({ meta }) => words.some((word) => meta.name.includes(word))).slice(0, NAMED_MAX)
}
