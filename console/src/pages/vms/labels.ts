// Reads labels as people type them: `tier=web stage=test old-`. Pure.

const PART = /^[A-Za-z0-9\-_.]{0,63}$/

/** Labels to set, `null` for those to take away; or a sentence about what is wrong. */
export function readLabels(text: string): Record<string, string | null> | string {
  const words = text.split(/[\s,]+/).filter(Boolean)
  if (words.length === 0) return 'Write at least one label, such as tier=web'
  const labels: Record<string, string | null> = {}
  for (const word of words) {
    const cut = word.indexOf('=')
    const removes = cut < 0 && word.endsWith('-')
    const key = cut >= 0 ? word.slice(0, cut) : removes ? word.slice(0, -1) : word
    const value = cut >= 0 ? word.slice(cut + 1) : ''
    if (!isKey(key) || !PART.test(value)) return `“${word}” is not a label: up to 63 letters, digits, - _ and .`
    labels[key] = removes ? null : value
  }
  return labels
}

function isKey(key: string): boolean {
  const parts = key.split('/')
  return parts.length <= 2 && parts.every((part) => part !== '' && PART.test(part))
}
