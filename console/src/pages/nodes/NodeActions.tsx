// What can be done with a node's guests, and the word that they are kept down.
import { Play, Power } from 'lucide-react'
import { useState } from 'react'
import type { Node } from '../../api/types'
import { dateTime } from '../../components/format'
import { letStart } from './actions'
import { holdOf } from './hold'
import { StopGuests } from './StopGuests'

export function NodeActions({ node }: { node: Node }) {
  const [asked, setAsked] = useState(false)
  return (
    <>
      {holdOf(node) ? (
        <button type="button" className="btn btn-primary" onClick={() => void letStart(node)}>
          <Play size={14} aria-hidden="true" /> Start guests again
        </button>
      ) : (
        <button type="button" className="btn" disabled={!node.status.report} onClick={() => setAsked(true)}>
          <Power size={14} aria-hidden="true" /> Shut guests down …
        </button>
      )}
      {asked && <StopGuests node={node} onClose={() => setAsked(false)} />}
    </>
  )
}

export function Held({ node }: { node: Node }) {
  const hold = holdOf(node)
  if (!hold) return null
  return (
    <p role="status" className="mb-3 rounded-md bg-warn-soft px-3 py-2 text-warn">
      Its guests are kept down since {dateTime(hold.since)}, until the host’s next boot or until you start them again.
    </p>
  )
}
