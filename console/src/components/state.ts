// Which tone and icon a state has, of whatever kind. Pure; `StateMark` draws it.
import type { Vm } from '../api/types'

export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle'
export type Shape = 'dot' | 'square' | 'pause' | 'spin' | 'alert' | 'clock' | 'check' | 'cross' | 'info'

export interface Look {
  tone: Tone
  shape: Shape
}

const LOOKS: Record<string, Look> = {
  running: { tone: 'ok', shape: 'dot' },
  ready: { tone: 'ok', shape: 'dot' },
  stopped: { tone: 'idle', shape: 'square' },
  paused: { tone: 'warn', shape: 'pause' },
  pending: { tone: 'warn', shape: 'clock' },
  unknown: { tone: 'warn', shape: 'clock' },
  creating: { tone: 'busy', shape: 'spin' },
  growing: { tone: 'busy', shape: 'spin' },
  importing: { tone: 'busy', shape: 'spin' },
  starting: { tone: 'busy', shape: 'spin' },
  stopping: { tone: 'busy', shape: 'spin' },
  deleting: { tone: 'busy', shape: 'spin' },
  failed: { tone: 'bad', shape: 'alert' },
  succeeded: { tone: 'ok', shape: 'check' },
  cancelled: { tone: 'idle', shape: 'cross' },
  info: { tone: 'idle', shape: 'info' },
  warning: { tone: 'warn', shape: 'alert' },
  error: { tone: 'bad', shape: 'alert' },
  in_progress: { tone: 'busy', shape: 'spin' },
}

export function lookOf(state: string): Look {
  return LOOKS[state] ?? { tone: 'idle', shape: 'square' }
}

/** How urgent a state is in a list sorted by it: what needs a person comes first. */
const URGENCY = ['failed', 'pending', 'paused', 'deleting', 'stopping', 'starting', 'creating', 'running', 'stopped']

export function urgency(state: string): number {
  const at = URGENCY.indexOf(state)
  return at < 0 ? URGENCY.length : at
}

/** Which verbs make sense for a VM now. */
export function verbsFor(vm: Vm): { start: boolean; stop: boolean; pause: boolean; resume: boolean; restart: boolean } {
  const state = vm.status.state
  const up = state === 'running' || state === 'starting'
  return {
    start: state === 'stopped' || state === 'failed' || (state === 'pending' && vm.spec.run === 'stopped'),
    stop: up || state === 'paused' || state === 'failed' || state === 'stopping',
    pause: state === 'running',
    resume: state === 'paused',
    restart: up,
  }
}
