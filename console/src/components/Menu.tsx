// A button with a menu, in the browser's top layer so that no scrolling box clips it.
import { useId, useLayoutEffect, useRef, useState, type ReactNode } from 'react'

export interface MenuItem {
  label: string
  icon?: ReactNode
  onSelect: () => void
  disabled?: boolean
  danger?: boolean
  /** Ticks the entry: it is a choice that stays. */
  checked?: boolean
}

interface Props {
  label: string
  button: ReactNode
  items: MenuItem[]
  className?: string
  /** Stays open, so that several entries can be ticked. */
  sticky?: boolean
}

export function Menu({ label, button, items, className = 'btn', sticky }: Props) {
  const id = useId()
  const trigger = useRef<HTMLButtonElement>(null)
  const list = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState(false)

  // Only once the entries are drawn is it known how large the menu is, and what takes the focus.
  useLayoutEffect(() => {
    if (!open || !trigger.current || !list.current) return
    place(list.current, trigger.current.getBoundingClientRect())
    entries(list.current)[0]?.focus()
  }, [open])
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (!list.current) return
    const all = entries(list.current)
    const at = all.indexOf(document.activeElement as HTMLElement)
    const step = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key]
    if (event.key === 'Tab') list.current.hidePopover()
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    all[step % all.length]?.focus()
  }
  const select = (item: MenuItem) => {
    if (!sticky) {
      list.current?.hidePopover()
      trigger.current?.focus()
    }
    item.onSelect()
  }
  return (
    <>
      <button ref={trigger} type="button" className={className} aria-haspopup="menu" aria-expanded={open} aria-label={label} title={label} popoverTarget={id}>
        {button}
      </button>
      <div
        ref={list} id={id} popover="auto" role="menu" tabIndex={-1} aria-label={label} onToggle={(event) => setOpen(event.newState === 'open')} onKeyDown={onKeyDown}
        className="panel fixed m-0 max-h-[70dvh] min-w-44 overflow-y-auto bg-raised p-1 shadow-lg"
      >
        {open && items.map((item) => <Entry key={item.label} item={item} onSelect={() => select(item)} />)}
      </div>
    </>
  )
}

function Entry({ item, onSelect }: { item: MenuItem; onSelect: () => void }) {
  const choice = item.checked !== undefined
  return (
    <button
      type="button"
      role={choice ? 'menuitemcheckbox' : 'menuitem'}
      aria-checked={choice ? item.checked : undefined}
      disabled={item.disabled}
      className={`flex h-8 w-full items-center gap-2 rounded px-2 text-left whitespace-nowrap hover:bg-hover focus:bg-hover disabled:opacity-50 ${item.danger ? 'text-bad' : ''}`}
      onClick={onSelect}
    >
      <span className="inline-flex w-4 justify-center" aria-hidden="true">
        {choice ? (item.checked ? '✓' : '') : item.icon}
      </span>
      {item.label}
    </button>
  )
}

function entries(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('[role^=menuitem]:not(:disabled)')]
}

function place(list: HTMLElement, anchor: DOMRect): void {
  const box = list.getBoundingClientRect()
  const below = anchor.bottom + 4
  const top = below + box.height > window.innerHeight ? Math.max(8, anchor.top - box.height - 4) : below
  const left = Math.min(anchor.left, window.innerWidth - box.width - 8)
  list.style.top = `${top}px`
  list.style.left = `${Math.max(8, left)}px`
}
