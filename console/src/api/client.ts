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
  throw await readProblem(response)
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

async function readProblem(response: Response): Promise<Problem> {
  const fallback = { status: response.status, code: `http_${response.status}`, message: `The server answered ${response.status}` }
  try {
    const body = (await response.json()) as Record<string, unknown>
    const text = (key: string) => (typeof body[key] === 'string' ? body[key] : undefined)
    return new Problem({
      status: response.status,
      code: text('code') ?? fallback.code,
      message: text('detail') ?? text('title') ?? fallback.message,
      field: text('field'),
      hint: text('hint'),
    })
  } catch {
    return new Problem(fallback)
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const message = error instanceof Error ? error.message : String(error)
  return new Problem({ status: 0, code: 'console', message })
}
