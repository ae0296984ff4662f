// The one watch stream of this tab: connects, reads, reconnects, and says how current the page is.
// Hands batches of changes to its listener; knows nothing of the cache.
//
//   connecting ─▶ live ─▶ lost ─▶ live …        any ─▶ closed
import { readChange, type Change } from './changes'
import { ALL_KINDS, plural } from './kinds'
import { SseParser } from './sse'

export type LiveState =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'lost'; since: Date }
  | { state: 'closed' }

interface Hooks {
  changes: (changes: Change[]) => void
  state: (state: LiveState) => void
  signedOut: () => void
}

const SILENCE_MS = 60_000 // the server sends a comment at least every 15 s
const BATCH_MS = 100
const KINDS = [...ALL_KINDS.map(plural), 'events'].join(',')

export class LiveStream {
  private readonly abort = new AbortController()
  private lastId: string
  private failures = 0
  private lostSince: Date | undefined
  private batch: Change[] = []
  private flushing = false

  constructor(
    private readonly project: string,
    from: number,
    private readonly hooks: Hooks,
  ) {
    this.lastId = String(from)
    void this.run()
  }

  close(): void {
    this.abort.abort()
    this.hooks.state({ state: 'closed' })
  }

  private ended(): boolean {
    return this.abort.signal.aborted
  }

  private async run(): Promise<void> {
    this.hooks.state({ state: 'connecting' })
    while (!this.ended()) {
      await this.connect().catch(() => undefined)
      if (this.ended()) return
      this.lostSince ??= new Date()
      this.hooks.state({ state: 'lost', since: this.lostSince })
      await pause(Math.min(500 * 2 ** this.failures, 5000), this.abort.signal)
      this.failures += 1
    }
  }

  /** Returns or throws when the connection has ended. */
  private async connect(): Promise<void> {
    const query = new URLSearchParams({ project: this.project, kinds: KINDS, from: this.lastId })
    const silence = new AbortController()
    const signal = AbortSignal.any([this.abort.signal, silence.signal])
    const response = await fetch(`/v1/watch?${query}`, {
      signal,
      headers: { accept: 'text/event-stream', 'last-event-id': this.lastId },
    })
    if (response.status === 401) {
      this.hooks.signedOut()
      return
    }
    if (!response.ok || !response.body) throw new Error(`watch: ${response.status}`)
    this.failures = 0
    this.lostSince = undefined
    this.hooks.state({ state: 'live' })
    await this.read(response.body, silence)
  }

  private async read(body: ReadableStream<Uint8Array>, silence: AbortController): Promise<void> {
    const parser = new SseParser()
    const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader()
    for (;;) {
      const timer = setTimeout(() => silence.abort(), SILENCE_MS)
      const { value, done } = await reader.read().finally(() => clearTimeout(timer))
      if (done) return
      for (const message of parser.push(value)) {
        if (message.id) this.lastId = message.id
        const change = readChange(message)
        if (change) this.enqueue(change)
      }
    }
  }

  /** Collects what comes close together: one update of the page for many changes. */
  private enqueue(change: Change): void {
    this.batch.push(change)
    if (this.flushing) return
    this.flushing = true
    setTimeout(() => {
      this.flushing = false
      const batch = this.batch
      this.batch = []
      if (!this.ended()) this.hooks.changes(batch)
    }, BATCH_MS)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
