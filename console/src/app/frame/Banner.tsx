// What users must know on every page: simulated hosts, no KVM, a full store, a page that is not current.
import { TriangleAlert } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useQuery } from '@tanstack/react-query'
import { systemQuery, useList } from '../../api/queries'
import type { Node } from '../../api/types'
import { clock } from '../../components/format'
import { useLiveState } from '../liveState'

export function Banner() {
  const { data: system } = useQuery(systemQuery)
  const nodes = useList('node', '').data?.items ?? []
  const lost = useLost()
  const lines = [
    lost && `Not current since ${clock(lost)}, reconnecting`,
    system?.store_full && 'The disk of the store is full: only deletes are taken. Free space on it',
    system?.simulated && 'Simulated hosts: no guest really runs',
    !system?.simulated && withoutKvm(nodes) && 'No KVM: guests are slow',
  ].filter(Boolean)
  return (
    <div aria-live="polite">
      {lines.length > 0 && (
        <p className="flex items-center gap-2 border-b border-line bg-warn-soft px-4 py-1 text-warn" data-banner="">
          <TriangleAlert size={14} className="shrink-0" aria-hidden="true" />
          {lines.join(' · ')}
        </p>
      )}
    </div>
  )
}

function withoutKvm(nodes: Node[]): boolean {
  const drivers = nodes.flatMap((node) => node.status.report?.hypervisors ?? [])
  return drivers.length > 0 && drivers.every((driver) => driver.accelerator !== 'kvm')
}

const PATIENCE_MS = 1500

/** Since when the page is not current; a short break is not worth a word. */
function useLost(): Date | undefined {
  const live = useLiveState()
  const since = live.state === 'lost' ? live.since : undefined
  const [shown, setShown] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setShown(since !== undefined), since ? PATIENCE_MS : 0)
    return () => clearTimeout(timer)
  }, [since])
  return shown ? since : undefined
}
