// Keeps rows where they are while the pointer is over them: a live change may alter a row, never move
// it. New rows wait at the end, gone ones stay, marked. Pure.

export interface Row<T> {
  item: T
  gone: boolean
}

/** `next` is filtered and sorted; `previous` is what is on the screen. */
export function calm<T>(
  previous: readonly Row<T>[], next: readonly T[], frozen: boolean, id: (item: T) => string,
): Row<T>[] {
  if (!frozen) return next.map((item) => ({ item, gone: false }))
  const fresh = new Map(next.map((item) => [id(item), item]))
  const kept = previous.map((row) => {
    const item = fresh.get(id(row.item))
    fresh.delete(id(row.item))
    return item === undefined ? { item: row.item, gone: true } : { item, gone: false }
  })
  return [...kept, ...[...fresh.values()].map((item) => ({ item, gone: false }))]
}
