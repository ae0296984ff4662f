// Turns a log's bytes into lines to read: drops terminal control sequences, keeps the newest. Pure.

// ECMA-48 control sequences, operating system commands, and single escapes.
const CONTROLS = /\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_=>78()][0-9A-Za-z]?|[\x00-\x08\x0b\x0c\x0e-\x1a\x7f]/g

const LINES_KEPT = 10_000

export interface LogText {
  lines: string[]
  /** What came after the last line's end. */
  rest: string
}

export const NO_LOG: LogText = { lines: [], rest: '' }

export function appendLog(log: LogText, text: string): LogText {
  const parts = (log.rest + text).split('\n')
  const rest = parts.pop() ?? ''
  const lines = [...log.lines, ...parts.map(plain)]
  return { lines: lines.length > LINES_KEPT ? lines.slice(-LINES_KEPT) : lines, rest }
}

/** A carriage return starts its line over. */
export function plain(line: string): string {
  const text = line.replace(/\r+$/, '').replace(CONTROLS, '')
  return text.slice(text.lastIndexOf('\r') + 1)
}

export function shownLines(log: LogText, search: string): string[] {
  const all = log.rest ? [...log.lines, plain(log.rest)] : log.lines
  const wanted = search.toLowerCase()
  return wanted ? all.filter((line) => line.toLowerCase().includes(wanted)) : all
}
