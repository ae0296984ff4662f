// The serial console: a terminal on the VM's serial line.
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { ClipboardPaste, Maximize2 } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import type { Vm } from '../../api/types'
import { CommandLine } from '../../components/Copy'
import { notify } from '../../components/notices'
import { Empty } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import { runVerb } from '../vms/actions'
import { isReachable } from './guestStream'
import { SerialLine, type LineState } from './serialLine'

// One look in both themes: guests choose their colours for a dark screen.
const THEME = { background: '#10141c', foreground: '#dfe4ee', cursor: '#8ba2ff', selectionBackground: '#3b4a75' }

export function Serial({ vm }: { vm: Vm }) {
  const reachable = isReachable(vm)
  const started = vm.status.runtime?.started ?? ''
  if (!reachable)
    return (
      <Empty
        text={`The serial console is there while the VM runs; it is ${vm.status.state}.`}
        action={
          <button type="button" className="btn btn-primary" onClick={() => void runVerb([vm], 'start')}>
            Start
          </button>
        }
        command={<CommandLine text={`novacron console ${vm.meta.name}`} />}
      />
    )
  return <SerialTerminal key={started} vm={vm} />
}

function SerialTerminal({ vm }: { vm: Vm }) {
  const box = useRef<HTMLDivElement>(null)
  const guest = useRef<HTMLDivElement>(null)
  const terminal = useRef<Terminal>(null)
  const line = useRef<SerialLine>(null)
  const first = useRef(vm)
  const [state, setState] = useState<LineState>({ state: 'connecting' })

  useEffect(() => {
    if (!box.current) return
    const term = new Terminal({
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--font-mono') || 'monospace',
      fontSize: 13, theme: THEME, scrollback: 10_000, cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches, screenReaderMode: false,
    })
    const fit = new FitAddon()
    term.loadAddon(fit)
    term.open(box.current)
    fit.fit()
    const connection = new SerialLine(first.current, {
      opened: () => term.reset(),
      data: (bytes) => term.write(bytes),
      state: setState,
    })
    term.onData((text) => connection.send(text))
    term.onBinary((text) => connection.sendBytes(Uint8Array.from(text, (char) => char.charCodeAt(0))))
    const resized = new ResizeObserver(() => fit.fit())
    resized.observe(box.current)
    terminal.current = term
    line.current = connection
    term.focus()
    return () => {
      resized.disconnect()
      connection.close()
      term.dispose()
    }
  }, [])

  const paste = async () => {
    try {
      terminal.current?.paste(await navigator.clipboard.readText())
      terminal.current?.focus()
    } catch {
      notify({ tone: 'bad', title: 'The browser did not allow reading the clipboard', text: 'Use Ctrl-Shift-V in the terminal' })
    }
  }
  return (
    <div ref={guest} className="flex min-h-64 flex-1 flex-col bg-page" data-guest="">
      <div className="mb-2 flex items-center gap-2">
        <LineMark state={state} />
        <button type="button" className="btn ml-auto" onClick={() => void paste()}>
          <ClipboardPaste size={14} aria-hidden="true" /> Paste
        </button>
        <button type="button" className="btn" onClick={() => void guest.current?.requestFullscreen()}>
          <Maximize2 size={14} aria-hidden="true" /> Full screen
        </button>
      </div>
      <div className="min-h-0 flex-1 rounded-lg border border-line bg-[#10141c] p-2" role="region" aria-label={`Serial console of ${vm.meta.name}`}>
        <div ref={box} className="h-full" />
      </div>
    </div>
  )
}

function LineMark({ state }: { state: LineState }) {
  return (
    <span role="status">
      {state.state === 'open' && <StateMark state="ready" word="connected" />}
      {state.state === 'connecting' && <StateMark state="starting" word="connecting" />}
      {state.state === 'broken' && <StateMark state="pending" word={`${state.reason}; trying again`} />}
    </span>
  )
}
