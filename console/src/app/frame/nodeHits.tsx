// What the palette offers for the nodes that a text names.
import { lazy } from 'react'
import type { Node } from '../../api/types'
import { letStart } from '../../pages/nodes/actions'
import { holdOf } from '../../pages/nodes/hold'
import { namedBy, type Hit } from './rank'

const StopGuests = lazy(() => import('../../pages/nodes/StopGuests').then((module) => ({ default: module.StopGuests })))

const TABS = ['VMs', 'Hardware', 'Logs', 'Spec']

export function nodeHits(nodes: readonly Node[], text: string): Hit[] {
  return namedBy(text, nodes).flatMap((node) => {
    const { name, uid } = node.meta
    return [
      ...TABS.map((tab) => ({ id: `${tab} ${uid}`, what: 'node', name: `${name} ${tab === 'VMs' ? tab : tab.toLowerCase()}`, to: `/nodes/${name}/${tab.toLowerCase()}` })),
      guests(node),
    ]
  })
}

function guests(node: Node): Hit {
  const { name, uid } = node.meta
  const id = `guests ${uid}`
  if (holdOf(node)) return { id, what: 'action', name: `Start the guests of ${name} again`, run: () => void letStart(node) }
  return { id, what: 'action', name: `Shut the guests of ${name} down`, dialog: (close) => <StopGuests node={node} onClose={close} /> }
}
