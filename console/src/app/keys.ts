// Key bindings of the whole console. The binding registered last wins, so a page may take over a key of
// the frame. None works while a guest, a dialog, a menu or a text field has the focus.
import { useEffect, useRef } from 'react'
import { matchKey } from './keyMatch'

export type Bindings = Record<string, () => unknown>

const layers: { current: Bindings }[] = []
let pending: { key: string; at: number } | undefined

export function useKeys(bindings: Bindings): void {
  const layer = useRef(bindings)
  useEffect(() => {
    layer.current = bindings
  })
  useEffect(() => {
    layers.push(layer)
    return () => void layers.splice(layers.indexOf(layer), 1)
  }, [])
}

function onKeyDown(event: KeyboardEvent): void {
  const press = { key: event.key, ctrl: event.ctrlKey, alt: event.altKey, meta: event.metaKey }
  if (event.defaultPrevented || !listens(event.target, press.ctrl || press.meta, event.key)) return
  const known = layers.flatMap((layer) => Object.keys(layer.current))
  const result = matchKey(known, press, pending, Date.now())
  pending = result.pending
  const binding = result.binding
  if (binding === undefined) return
  event.preventDefault()
  layers.findLast((layer) => binding in layer.current)?.current[binding]?.()
}

/** Text fields keep their keys but for those with Ctrl; guests, dialogs and menus keep all. */
function listens(target: EventTarget | null, control: boolean, key: string): boolean {
  if (!(target instanceof Element)) return true
  if (target.closest('[data-guest]')) return false
  if (document.querySelector('dialog[open], :popover-open') || target.closest('[popover]')) return false
  if (target.closest('textarea, select, [contenteditable], input:not([type=checkbox])')) return control
  // Enter on a link or button is that element's own.
  if (key === 'Enter') return !target.closest('a, button, summary, input')
  return true
}

if (typeof document !== 'undefined') document.addEventListener('keydown', onKeyDown)
