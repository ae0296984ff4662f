// JSON merge patches (RFC 7396): the difference of two values, and a value with a patch on it. Pure.

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

type Map = Record<string, Json>

export function isRecord(value: unknown): value is Map {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The patch that makes `to` of `from`; `undefined` when they are the same. */
export function difference(from: Json, to: Json): Json | undefined {
  if (!isRecord(from) || !isRecord(to)) return same(from, to) ? undefined : to
  const patch: Map = {}
  for (const key of Object.keys(from)) if (!(key in to)) patch[key] = null
  for (const [key, value] of Object.entries(to)) {
    const before = from[key]
    const change = before === undefined ? value : difference(before, value)
    if (change !== undefined) patch[key] = change
  }
  return Object.keys(patch).length > 0 ? patch : undefined
}

export function patched(value: Json, patch: Json): Json {
  if (!isRecord(patch)) return patch
  const result: Map = isRecord(value) ? { ...value } : {}
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) Reflect.deleteProperty(result, key)
    else result[key] = patched(result[key] ?? null, change)
  }
  return result
}

export function same(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => same(item, b[index] ?? null))
  if (isRecord(a) && isRecord(b)) return difference(a, b) === undefined
  return a === b
}
