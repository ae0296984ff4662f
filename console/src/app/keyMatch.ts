// Which binding a key press completes. Pure; `keys` listens.

export interface Press {
  key: string
  ctrl: boolean
  alt: boolean
  meta: boolean
}

const SEQUENCE_MS = 1200

/**
 * Matches single keys (`j`, `Enter`, `Ctrl-K`) and sequences of two (`g v`). `pending` is the first key
 * of a sequence that may be under way, with the time at which it was pressed.
 */
export function matchKey(
  bindings: readonly string[], press: Press, pending: { key: string; at: number } | undefined, now: number,
): { binding?: string; pending?: { key: string; at: number } } {
  const name = nameOf(press)
  if (name === undefined) return {}
  if (pending && now - pending.at < SEQUENCE_MS) {
    const sequence = `${pending.key} ${name}`
    if (bindings.includes(sequence)) return { binding: sequence }
  }
  if (bindings.includes(name)) return { binding: name }
  if (bindings.some((binding) => binding.startsWith(`${name} `))) return { pending: { key: name, at: now } }
  return {}
}

function nameOf({ key, ctrl, alt, meta }: Press): string | undefined {
  if (alt) return undefined
  if (ctrl || meta) return `Ctrl-${key.toUpperCase()}`
  return key
}
