// Which objects a text and label chips let through. Pure.
import type { AnyObject } from '../../api/types'

/** Every word must be found in the name, a label, or the texts that the page adds (state, node, image…). */
export function matches(object: AnyObject, text: string, labels: readonly string[], more: readonly string[]): boolean {
  const own = object.meta.labels ?? {}
  if (!labels.every((label) => hasLabel(own, label))) return false
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0) return true
  const labelTexts = Object.entries(own).map(([key, value]) => `${key}=${value}`)
  const haystack = [object.meta.name, ...labelTexts, ...more].join('\n').toLowerCase()
  return words.every((word) => haystack.includes(word))
}

/** `key=value`, or `key` for any value. */
function hasLabel(labels: Record<string, string>, label: string): boolean {
  const cut = label.indexOf('=')
  if (cut < 0) return label in labels
  return labels[label.slice(0, cut)] === label.slice(cut + 1)
}

/** All labels in use, the most frequent first. */
export function labelsInUse(objects: readonly AnyObject[]): string[] {
  const counts = new Map<string, number>()
  for (const object of objects)
    for (const [key, value] of Object.entries(object.meta.labels ?? {}))
      counts.set(`${key}=${value}`, (counts.get(`${key}=${value}`) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])).map(([label]) => label)
}
