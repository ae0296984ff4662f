// Opening a WebSocket into a guest: asks for a ticket, says where to connect, and when to try again.
import { openTicket } from '../../api/actions'
import type { Vm } from '../../api/types'

/** States in which a guest has a serial line and a screen. */
export function isReachable(vm: Vm): boolean {
  return ['running', 'paused', 'stopping', 'starting'].includes(vm.status.state)
}

export async function streamUrl(vm: Vm, stream: 'serial' | 'screen', extra: Record<string, string> = {}): Promise<string> {
  const ticket = await openTicket(vm.meta.project ?? 'default', vm.meta.name, stream)
  const url = new URL(ticket.url, window.location.href)
  url.protocol = window.location.protocol === 'https:' ? 'wss:' : 'ws:'
  for (const [key, value] of Object.entries(extra)) url.searchParams.set(key, value)
  return url.href
}

/** Pause before the next try: half a second, then twice as long each time, at most 8 s. */
export function retryDelay(failures: number): number {
  return Math.min(8000, 500 * 2 ** failures)
}
