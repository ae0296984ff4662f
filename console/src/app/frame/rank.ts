// Orders search results: whole names first, then beginnings, then what contains the text. Pure.

export interface Hit {
  what: string
  name: string
  to: string
  state?: string
}

const SHOWN = 50

export function rank(hits: readonly Hit[], text: string): Hit[] {
  const wanted = text.trim().toLowerCase()
  if (!wanted) return hits.slice(0, SHOWN)
  const scored = hits.map((hit) => ({ hit, score: score(hit, wanted) })).filter(({ score }) => score > 0)
  scored.sort((a, b) => b.score - a.score || a.hit.name.localeCompare(b.hit.name, 'en', { numeric: true }))
  return scored.slice(0, SHOWN).map(({ hit }) => hit)
}

function score(hit: Hit, wanted: string): number {
  const name = hit.name.toLowerCase()
  if (name === wanted) return 4
  if (name.startsWith(wanted)) return 3
  if (name.includes(wanted)) return 2
  return `${hit.what} ${name}`.toLowerCase().includes(wanted) ? 1 : 0
}
