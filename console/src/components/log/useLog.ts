// Reads a log, and follows it while that is wanted.
import { useEffect, useState } from 'react'
import { logPath } from '../../api/actions'
import { asProblem, send, type Problem } from '../../api/client'
import { appendLog, NO_LOG, type LogText } from './logText'

const TAIL_BYTES = 262_144
const RETRY_MS = 3000

export interface LogState {
  log: LogText
  loading: boolean
  problem?: Problem
}

/** `object`: its path in the API. `source`: which of its logs, if it has several. */
export function useLog(object: string, source: string | undefined, follow: boolean): LogState {
  const [state, setState] = useState<LogState>({ log: NO_LOG, loading: true })
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    setState({ log: NO_LOG, loading: true })
    const read = async () => {
      let log = NO_LOG
      try {
        const path = logPath(object, source, TAIL_BYTES, follow)
        const response = await send('GET', path, { signal: abort.signal, headers: { accept: 'text/plain' } })
        for await (const text of textOf(response)) {
          log = appendLog(log, text)
          setState({ log, loading: false })
        }
        setState({ log, loading: false })
        if (follow) timer = setTimeout(() => void read(), RETRY_MS)
      } catch (error) {
        if (abort.signal.aborted) return
        const problem = asProblem(error)
        // What was read stays in sight.
        setState((before) => ({ ...before, loading: false, problem }))
        if (follow && isAway(problem)) timer = setTimeout(() => void read(), RETRY_MS)
      }
    }
    void read()
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [object, source, follow])
  return state
}

/** A server or node that may be back soon; other problems stay. */
function isAway({ status }: Problem): boolean {
  return status === 0 || status === 503
}

async function* textOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    yield value
  }
}
