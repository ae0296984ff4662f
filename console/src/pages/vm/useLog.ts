// Reads a VM's log, and follows it while that is wanted.
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

export function useLog(project: string, vm: string, source: string, follow: boolean): LogState {
  const [state, setState] = useState<LogState>({ log: NO_LOG, loading: true })
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const read = async () => {
      let log = NO_LOG
      setState({ log, loading: true })
      try {
        const path = logPath(project, vm, source, TAIL_BYTES, follow)
        const response = await send('GET', path, { signal: abort.signal, headers: { accept: 'text/plain' } })
        for await (const text of textOf(response)) {
          log = appendLog(log, text)
          setState({ log, loading: false })
        }
        setState({ log, loading: false })
        if (follow) timer = setTimeout(() => void read(), RETRY_MS)
      } catch (error) {
        if (!abort.signal.aborted) setState({ log, loading: false, problem: asProblem(error) })
      }
    }
    void read()
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [project, vm, source, follow])
  return state
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
