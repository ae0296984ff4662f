// Types a text into a guest, key by key: for what stands in the clipboard, and for phones, whose keyboards tell no
// places of keys. The layout is the guest's, and remembered in this browser.
import type RFB from '@novnc/novnc'
import { useEffect, useRef, useState } from 'react'
import { SelectField, TextArea } from '../../../components/Field'
import { FormDialog } from '../../../components/FormDialog'
import { useStored } from '../../../components/hooks'
import { LAYOUTS, type LayoutId } from './layouts'
import { pressesOf } from './presses'
import { typePresses } from './typeText'

const ENTER = { keysym: 0xff0d, code: 'Enter' }
const OPTIONS = Object.entries(LAYOUTS).map(([value, { name }]) => ({ value, label: name }))

export function TypeText({ rfb, name, onClose }: { rfb: RFB; name: string; onClose: () => void }) {
  const [kept, keep] = useStored<string>('screen.layout', 'us')
  const layout: LayoutId = kept in LAYOUTS ? (kept as LayoutId) : 'us'
  const [text, setText] = useState('')
  const [enter, setEnter] = useState(false)
  const [done, setDone] = useState<number>()
  const abort = useRef<AbortController>(undefined)
  useEffect(() => () => abort.current?.abort(), [])

  const { presses, missing } = pressesOf(text, layout)
  const all = enter ? [...presses, ENTER] : presses
  const submit = async () => {
    abort.current = new AbortController()
    await typePresses(rfb, all, setDone, abort.current.signal)
  }
  return (
    <FormDialog title={`Type text into ${name}`} submit="Type" disabled={all.length === 0 || missing.length > 0} onSubmit={submit} onClose={onClose}>
      {() => (
        <>
          <TextArea
            label="Text" data-autofocus="" rows={4} value={text} onChange={(event) => setText(event.target.value)} autoCapitalize="off"
            error={missing.length > 0 ? `No key of this layout gives ${missing.slice(0, 10).join(' ')}` : undefined}
          />
          <SelectField
            label="Keyboard layout" value={layout} options={OPTIONS} onChange={(event) => keep(event.target.value)}
            hint="The one that the guest is set to. What you type on the screen itself goes by the place of the key, whatever the layout here."
          />
          <label className="flex items-center gap-2">
            <input type="checkbox" className="size-4 accent-accent" checked={enter} onChange={(event) => setEnter(event.target.checked)} /> Press Enter after it
          </label>
          {done !== undefined && (
            <p role="status" className="text-dim">
              {done} of {all.length} keys pressed
            </p>
          )}
        </>
      )}
    </FormDialog>
  )
}
