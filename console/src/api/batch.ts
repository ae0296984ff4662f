// The same request for many objects.

const AT_ONCE = 8

/** Runs `act` for each item, a few at a time; returns the failures. */
export async function forEachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<{ item: T; error: unknown }[]> {
  const failures: { item: T; error: unknown }[] = []
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await act(item).catch((error: unknown) => failures.push({ item, error }))
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return failures
}
