// Reads the text of a server-sent event stream (WHATWG HTML §9.2.6). Pure; leaves the connection to `live`.

export interface SseMessage {
  event: string
  data: string
  /** Only where the message itself carries one. */
  id?: string
}

export class SseParser {
  private rest = ''
  private event = ''
  private data: string[] = []
  private id: string | undefined

  /** Takes the next piece of text and returns the messages that it completes. */
  push(text: string): SseMessage[] {
    const messages: SseMessage[] = []
    const lines = (this.rest + text).split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) {
      const message = this.line(line.endsWith('\r') ? line.slice(0, -1) : line)
      if (message) messages.push(message)
    }
    return messages
  }

  private line(line: string): SseMessage | undefined {
    if (line === '') return this.finish()
    const colon = line.indexOf(':')
    if (colon === 0) return undefined
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.event = value
    if (field === 'data') this.data.push(value)
    if (field === 'id') this.id = value
    return undefined
  }

  private finish(): SseMessage | undefined {
    const message = { event: this.event || 'message', data: this.data.join('\n'), id: this.id }
    const empty = this.data.length === 0
    this.event = ''
    this.data = []
    this.id = undefined
    return empty ? undefined : message
  }
}
