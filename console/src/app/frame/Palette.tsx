// Search over objects and pages, opened by `/` or Ctrl-K.
import { useNavigate } from '@tanstack/react-router'
import { useId, useState } from 'react'
import { useList } from '../../api/queries'
import { Dialog } from '../../components/Dialog'
import { StateMark } from '../../components/StateMark'
import { projectPlaces, SYSTEM_PLACES } from './Nav'
import { rank, type Hit } from './rank'

export function Palette({ project, onClose }: { project: string; onClose: () => void }) {
  const navigate = useNavigate()
  const listId = useId()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const hits = rank(useHits(project), text)
  const chosen = hits[Math.min(at, hits.length - 1)]

  const open = (hit: Hit | undefined) => {
    if (!hit) return
    onClose()
    void navigate({ to: hit.to })
  }
  const onKeyDown = (event: React.KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) {
      event.preventDefault()
      setAt((Math.min(at, hits.length - 1) + step + hits.length) % Math.max(1, hits.length))
    }
    if (event.key === 'Enter') open(chosen)
  }
  return (
    <Dialog title="Search" onClose={onClose}>
      <input
        data-autofocus="" className="input h-10" placeholder="Name of a VM, volume, image, node or page" value={text} role="combobox"
        aria-label="Search" aria-expanded="true" aria-controls={listId} aria-activedescendant={chosen && `${listId}-${chosen.to}`}
        onKeyDown={onKeyDown}
        onChange={(event) => {
          setText(event.target.value)
          setAt(0)
        }}
      />
      <div id={listId} role="listbox" aria-label="Results" className="mt-2 max-h-80 overflow-y-auto">
        {hits.map((hit) => (
          <div
            key={hit.to} id={`${listId}-${hit.to}`} role="option" aria-selected={hit === chosen} tabIndex={-1}
            className={`flex h-9 cursor-pointer items-center gap-3 rounded-md px-2 ${hit === chosen ? 'bg-accent-soft' : 'hover:bg-hover'}`}
            onClick={() => open(hit)} onKeyDown={onKeyDown}
          >
            <span className="w-16 shrink-0 text-xs text-dim">{hit.what}</span>
            <span className="min-w-0 flex-1 truncate">{hit.name}</span>
            {hit.state && <StateMark state={hit.state} />}
          </div>
        ))}
      </div>
      {hits.length === 0 && <p className="py-4 text-center text-dim">Nothing is named like that.</p>}
    </Dialog>
  )
}

function useHits(project: string): Hit[] {
  const vms = useList('vm', project).data?.items ?? []
  const volumes = useList('volume', project).data?.items ?? []
  const images = useList('image', project).data?.items ?? []
  const nodes = useList('node', '').data?.items ?? []
  const base = `/p/${project}`
  return [
    ...[...projectPlaces(project), ...SYSTEM_PLACES].map((place) => ({ what: 'page', name: place.label, to: place.to })),
    { what: 'page', name: 'Launch', to: `${base}/launch` },
    ...vms.map((vm) => ({ what: 'VM', name: vm.meta.name, to: `${base}/vms/${vm.meta.name}`, state: vm.status.state })),
    ...volumes.map((v) => ({ what: 'volume', name: v.meta.name, to: `${base}/volumes?q=${v.meta.name}`, state: v.status.state })),
    ...images.map((i) => ({ what: 'image', name: i.meta.name, to: `${base}/images?q=${i.meta.name}`, state: i.status.state })),
    ...nodes.map((node) => ({ what: 'node', name: node.meta.name, to: `/nodes/${node.meta.name}`, state: node.status.state })),
  ]
}
