// Presses keys one after the other, no faster than a guest takes them.
import type RFB from '@novnc/novnc'
import type { Press } from './presses'

/** QEMU's keyboards keep 16 codes for a guest; what comes faster than it reads them is lost. */
const PAUSE_MS = 20
const SHIFT = { keysym: 0xffe1, code: 'ShiftLeft' }
const ALTGR = { keysym: 0xfe03, code: 'AltRight' }

export async function typePresses(rfb: RFB, presses: readonly Press[], tell: (done: number) => void, signal: AbortSignal): Promise<void> {
  for (const [at, press] of presses.entries()) {
    if (signal.aborted) return
    const held = [press.shift ? SHIFT : undefined, press.altgr ? ALTGR : undefined].filter((key) => key !== undefined)
    for (const key of held) rfb.sendKey(key.keysym, key.code, true)
    rfb.sendKey(press.keysym, press.code)
    for (const key of held.reverse()) rfb.sendKey(key.keysym, key.code, false)
    tell(at + 1)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}
