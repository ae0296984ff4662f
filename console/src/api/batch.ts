// The same request for many objects.

const AT_ONCE = 8

/** Runs `act` for each item, a few at a time; returns the failures. */
export async function forEachOf<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<{ item: T; error: unknown }[]> {
  const failures: { item: T; error: unknown }[] = []
  const rest = items.values()
  const worker = async () => {
    for (const item of rest) await act(item).catch((error: unknown) => failures.push({ item, error }))
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return failures
}

/** The answers in the order of the items, asked for a few at a time; throws the first failure. */
export async function allOf<T, U>(items: readonly T[], ask: (item: T) => Promise<U>): Promise<U[]> {
  const answers: U[] = []
  const rest = items.entries()
  let failed = false
  const worker = async () => {
    for (const [index, item] of rest) {
      if (failed) return
      answers[index] = await ask(item).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
  return answers
}
