// A state as colour, icon and word.
import { Check, CircleAlert, Clock, Info, LoaderCircle, Pause, Square, TriangleAlert, X } from 'lucide-react'
import { words } from './format'
import { lookOf, type Shape, type Tone } from './state'

const TONES: Record<Tone, string> = {
  ok: 'text-ok', busy: 'text-busy', warn: 'text-warn', bad: 'text-bad', idle: 'text-idle',
}

function Icon({ shape }: { shape: Shape }) {
  const size = 14
  switch (shape) {
    case 'dot':
      return (
        <span className="flex size-3.5 shrink-0 items-center justify-center">
          <span className="size-2 rounded-full bg-current" />
        </span>
      )
    case 'square':
      return (
        <span className="flex size-3.5 shrink-0 items-center justify-center">
          <Square size={10} strokeWidth={2.5} />
        </span>
      )
    case 'pause':
      return <Pause size={size} className="shrink-0" />
    case 'spin':
      return <LoaderCircle size={size} className="shrink-0 animate-spin" />
    case 'alert':
      return <TriangleAlert size={size} className="shrink-0" />
    case 'clock':
      return <Clock size={size} className="shrink-0" />
    case 'check':
      return <Check size={size} className="shrink-0" strokeWidth={2.5} />
    case 'cross':
      return <X size={size} className="shrink-0" />
    case 'info':
      return <Info size={size} className="shrink-0" />
  }
}

export function StateMark({ state, word, title }: { state: string; word?: string; title?: string | null }) {
  const look = lookOf(state)
  return (
    <span className={`inline-flex items-center gap-1.5 whitespace-nowrap ${TONES[look.tone]}`} title={title ?? undefined} data-state={state}>
      <span aria-hidden="true" className="inline-flex">
        <Icon shape={look.shape} />
      </span>
      {word ?? words(state)}
    </span>
  )
}

export function AlertIcon() {
  return <CircleAlert size={16} className="shrink-0" aria-hidden="true" />
}
