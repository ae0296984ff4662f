// The graphical screen: noVNC on the VM's display.
import RFB from '@novnc/novnc'
import { Keyboard, Maximize2, TextCursorInput } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { asProblem } from '../../api/client'
import type { Vm } from '../../api/types'
import { useStored } from '../../components/hooks'
import { Empty } from '../../components/Page'
import { StateMark } from '../../components/StateMark'
import { runVerb } from '../vms/actions'
import { isReachable, retryDelay, streamUrl } from './guestStream'
import { TypeText } from './keyboard/TypeText'

export function Screen({ vm }: { vm: Vm }) {
  if (!isReachable(vm))
    return (
      <Empty
        text={`The screen is there while the VM runs; it is ${vm.status.state}.`}
        action={
          <button type="button" className="btn btn-primary" onClick={() => void runVerb([vm], 'start')}>
            Start
          </button>
        }
      />
    )
  return <ScreenView key={vm.status.runtime?.started ?? ''} vm={vm} />
}

function ScreenView({ vm }: { vm: Vm }) {
  const box = useRef<HTMLDivElement>(null)
  const guest = useRef<HTMLDivElement>(null)
  const [scale, setScale] = useStored('screen.scale', true)
  const [typing, setTyping] = useState(false)
  const { rfb, broken } = useScreen(vm, box)

  useEffect(() => {
    if (!rfb) return
    rfb.scaleViewport = scale
    rfb.clipViewport = !scale
    rfb.dragViewport = false
  }, [rfb, scale])

  return (
    <div ref={guest} className="flex min-h-64 flex-1 flex-col bg-page" data-guest="">
      <div className="mb-2 flex flex-wrap items-center gap-2">
        <span role="status">
          {rfb ? <StateMark state="ready" word="connected" /> : broken ? <StateMark state="pending" word={`${broken}; trying again`} /> : <StateMark state="starting" word="connecting" />}
        </span>
        <label className="ml-auto flex items-center gap-2">
          <input type="checkbox" className="size-4 accent-accent" checked={scale} onChange={(event) => setScale(event.target.checked)} />
          Scale to fit
        </label>
        <button type="button" className="btn" disabled={!rfb} onClick={() => setTyping(true)}>
          <TextCursorInput size={14} aria-hidden="true" /> Type text …
        </button>
        <button type="button" className="btn" disabled={!rfb} onClick={() => rfb?.sendCtrlAltDel()}>
          <Keyboard size={14} aria-hidden="true" /> Ctrl-Alt-Del
        </button>
        <button type="button" className="btn" onClick={() => void guest.current?.requestFullscreen()}>
          <Maximize2 size={14} aria-hidden="true" /> Full screen
        </button>
      </div>
      <div ref={box} className="min-h-0 flex-1 overflow-hidden rounded-lg border border-line bg-[#10141c]" role="region" aria-label={`Screen of ${vm.meta.name}`} />
      {typing && rfb && <TypeText rfb={rfb} name={vm.meta.name} onClose={() => setTyping(false)} />}
    </div>
  )
}

/** Connects, and connects again after a break; `rfb` is there while the connection stands. */
function useScreen(vm: Vm, box: React.RefObject<HTMLDivElement | null>) {
  const first = useRef(vm)
  const [rfb, setRfb] = useState<RFB>()
  const [broken, setBroken] = useState<string>()
  useEffect(() => {
    let closed = false
    let failures = 0
    let current: RFB | undefined
    let timer: ReturnType<typeof setTimeout> | undefined
    const retry = (reason: string) => {
      if (closed) return
      setRfb(undefined)
      setBroken(reason)
      timer = setTimeout(() => void connect(), retryDelay(failures))
      failures += 1
    }
    const connect = async () => {
      try {
        const url = await streamUrl(first.current, 'screen')
        if (closed || !box.current) return
        // noVNC does not tell with which words the server has closed.
        const socket = new WebSocket(url)
        let words = ''
        socket.addEventListener('close', (event) => {
          words = event.reason
        })
        const next = new RFB(box.current, socket)
        current = next
        next.background = '#10141c'
        next.addEventListener('connect', () => {
          failures = 0
          setBroken(undefined)
          setRfb(next)
          next.focus()
        })
        next.addEventListener('disconnect', () => retry(words || 'the connection was closed'))
      } catch (error) {
        retry(asProblem(error).message)
      }
    }
    void connect()
    return () => {
      closed = true
      clearTimeout(timer)
      current?.disconnect()
    }
  }, [box])
  return { rfb, broken }
}
