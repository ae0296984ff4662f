// A serial line over a WebSocket that comes back after every break, for as long as it is wanted.
// Owns the connection; the terminal that shows it is `Serial`'s.
import type { Vm } from '../../api/types'
import { asProblem } from '../../api/client'
import { retryDelay, streamUrl } from './guestStream'

export type LineState = { state: 'connecting' } | { state: 'open' } | { state: 'broken'; reason: string }

interface Hooks {
  /** A new connection begins: what it replays replaces what is shown. */
  opened: () => void
  data: (bytes: Uint8Array) => void
  state: (state: LineState) => void
}

const REPLAY_BYTES = '65536'

export class SerialLine {
  private socket: WebSocket | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private failures = 0
  private closed = false

  constructor(
    private readonly vm: Vm,
    private readonly hooks: Hooks,
  ) {
    void this.connect()
  }

  send(text: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(new TextEncoder().encode(text))
  }

  sendBytes(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(bytes)
  }

  close(): void {
    this.closed = true
    clearTimeout(this.timer)
    this.socket?.close()
  }

  private async connect(): Promise<void> {
    this.hooks.state({ state: 'connecting' })
    try {
      const url = await streamUrl(this.vm, 'serial', { replay: REPLAY_BYTES })
      if (!this.closed) this.open(url)
    } catch (error) {
      this.retry(asProblem(error).message)
    }
  }

  private open(url: string): void {
    const socket = new WebSocket(url)
    this.socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      this.failures = 0
      this.hooks.opened()
      this.hooks.state({ state: 'open' })
    }
    socket.onmessage = (event: MessageEvent<ArrayBuffer | string>) =>
      this.hooks.data(typeof event.data === 'string' ? new TextEncoder().encode(event.data) : new Uint8Array(event.data))
    socket.onclose = (event) => this.retry(event.reason || 'the connection was closed')
  }

  private retry(reason: string): void {
    if (this.closed) return
    this.hooks.state({ state: 'broken', reason })
    this.timer = setTimeout(() => void this.connect(), retryDelay(this.failures))
    this.failures += 1
  }
}
