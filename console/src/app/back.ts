// Where Esc leads from a page that belongs to a list. Pure; the frame listens.

const OBJECT_PAGES = [/^(\/p\/[^/]+\/vms)\/[^/]+/, /^(\/nodes)\/[^/]+/]

/** The list of the object whose page this is; `undefined` on every other page, which Esc does not leave. */
export function listOf(path: string): string | undefined {
  return OBJECT_PAGES.map((page) => page.exec(path)?.[1]).find((list) => list !== undefined)
}
