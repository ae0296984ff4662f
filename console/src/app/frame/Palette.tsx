// Search over pages, objects and actions, opened by `/` or Ctrl-K.
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useId, useRef, useState, type ReactNode } from 'react'
import { Dialog } from '../../components/Dialog'
import { StateMark } from '../../components/StateMark'
import { useHits } from './hits'
import { Kbd } from './Kbd'
import { rank, type Hit } from './rank'
import { useSignOut } from './useSignOut'

interface Props {
  project: string
  onClose: () => void
  onHelp: () => void
  onDialog: (content: (close: () => void) => ReactNode) => void
}

export function Palette({ project, onClose, onHelp, onDialog }: Props) {
  const navigate = useNavigate()
  const leave = useSignOut()
  const list = useRef<HTMLDivElement>(null)
  const listId = useId()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const hits = rank(useHits(project, text, { help: onHelp, signOut: leave }), text)
  const chosen = hits[Math.min(at, hits.length - 1)]

  const open = (hit: Hit | undefined) => {
    if (!hit) return
    onClose()
    if (hit.to) void navigate({ to: hit.to })
    hit.run?.()
    if (hit.dialog) onDialog(hit.dialog)
  }
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) {
      event.preventDefault()
      setAt((Math.min(at, hits.length - 1) + step + hits.length) % Math.max(1, hits.length))
    }
    if (event.key === 'Enter') {
      event.preventDefault() // else the same key presses what the opened dialog puts the focus on
      open(chosen)
    }
  }
  useEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' })
  }, [chosen?.id])
  return (
    <Dialog title="Search" onClose={onClose}>
      <input
        data-autofocus="" className="input h-10" placeholder="A page, an object, or what to do" value={text} role="combobox"
        aria-label="Search" aria-expanded="true" aria-controls={listId} aria-activedescendant={chosen && `${listId}-${chosen.id}`}
        onKeyDown={onKeyDown}
        onChange={(event) => {
          setText(event.target.value)
          setAt(0)
        }}
      />
      <div ref={list} id={listId} role="listbox" aria-label="Results" className="mt-2 max-h-80 overflow-y-auto">
        {hits.map((hit) => (
          <div
            key={hit.id} id={`${listId}-${hit.id}`} role="option" aria-selected={hit === chosen} tabIndex={-1}
            className={`flex h-9 cursor-pointer items-center gap-3 rounded-md px-2 ${hit === chosen ? 'bg-accent-soft' : 'hover:bg-hover'}`}
            onClick={() => open(hit)} onKeyDown={onKeyDown}
          >
            <span className="w-16 shrink-0 text-xs text-dim">{hit.what}</span>
            <span className="min-w-0 flex-1 truncate">{hit.name}</span>
            {hit.state && <StateMark state={hit.state} />}
            {hit.keys && (
              <span className="max-md:hidden" aria-hidden="true">
                <Kbd keys={hit.keys} />
              </span>
            )}
          </div>
        ))}
      </div>
      {hits.length === 0 && <p className="py-4 text-center text-dim">Nothing is named like that.</p>}
    </Dialog>
  )
}
