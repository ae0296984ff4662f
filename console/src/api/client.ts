// One request to the API, and the one error it can end with.
// Knows HTTP and problem+json; leaves paths and shapes to its callers.

/** An RFC 9457 problem, or a failure to reach the server (code `unreachable`). */
export class Problem extends Error {
  override name = 'Problem'
  readonly status: number
  readonly code: string
  readonly field?: string
  readonly hint?: string

  constructor(parts: { status: number; code: string; message: string; field?: string; hint?: string }) {
    super(parts.message)
    this.status = parts.status
    this.code = parts.code
    this.field = parts.field
    this.hint = parts.hint
  }
}

export interface Options {
  body?: unknown
  /** Sent as it is, with its own type. */
  raw?: Blob
  headers?: Record<string, string>
  signal?: AbortSignal
}

type Listener = () => void
const signedOutListeners = new Set<Listener>()

/** Called when the server no longer knows this browser. */
export function onSignedOut(listener: Listener): () => void {
  signedOutListeners.add(listener)
  return () => signedOutListeners.delete(listener)
}

export async function send(method: string, path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { accept: 'application/json', ...options.headers }
  let body: BodyInit | undefined
  if (options.raw) {
    body = options.raw
    headers['content-type'] ??= 'application/octet-stream'
  } else if (options.body !== undefined) {
    body = JSON.stringify(options.body)
    headers['content-type'] ??= method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  }
  const response = await reach(path, { method, headers, body, signal: options.signal })
  if (response.ok) return response
  if (response.status === 401) for (const listener of signedOutListeners) listener()
  throw readProblemText(response.status, await response.text())
}

/** Sends a request and reads its JSON answer; `undefined` for an empty one. */
export async function request<T>(method: string, path: string, options?: Options): Promise<T> {
  const response = await send(method, path, options)
  const text = await response.text()
  return (text ? JSON.parse(text) : undefined) as T
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem({
      status: 0,
      code: 'unreachable',
      message: 'NovaCron does not answer',
      hint: 'check that the daemon runs and that your tunnel is open',
    })
  }
}

/** Reads the body of a failed answer. */
export function readProblemText(status: number, body: string): Problem {
  let parts: Record<string, unknown> = {}
  try {
    parts = JSON.parse(body) as Record<string, unknown>
  } catch {
    // Something before NovaCron answered; its words are not for people.
  }
  const text = (key: string) => (typeof parts[key] === 'string' ? parts[key] : undefined)
  return new Problem({
    status,
    code: text('code') ?? `http_${status}`,
    message: text('detail') ?? text('title') ?? `The server answered ${status}`,
    field: text('field'),
    hint: text('hint'),
  })
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const message = error instanceof Error ? error.message : String(error)
  return new Problem({ status: 0, code: 'console', message })
}
