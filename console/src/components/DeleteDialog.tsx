// Asks before something goes for good: lists what goes with it and what stays, as the server says; of
// many, also themselves.
// The focus starts on Cancel; for many at once, and for what is protected, a word has to be typed.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { previewDelete, remove } from '../api/actions'
import { allOf, forEachOf } from '../api/batch'
import { displayKind } from '../api/kinds'
import type { ObjectRef } from '../api/types'
import { Dialog } from './Dialog'
import { TextField } from './Field'
import { count } from './format'
import { notify, notifyError } from './notices'
import { Skeleton } from './Page'
import { ProblemBox } from './Problem'

/** Each target is asked about by itself; beyond this many the dialog says how many it did not ask about. */
const PREVIEWED_MAX = 500

interface Props {
  targets: ObjectRef[]
  /** Names of those that run: they are only deleted by force. */
  running?: string[]
  /** The one target is protected: its name has to be typed. */
  unprotect?: boolean
  /** Names of those that were chosen but are protected: they stay. */
  kept?: string[]
  /** What the button says: a token is revoked. */
  verb?: string
  onClose: () => void
  onDone?: () => void
}

export function DeleteDialog({ targets, running = [], unprotect = false, kept = [], verb = 'Delete', onClose, onDone }: Props) {
  const [force, setForce] = useState(false)
  const [typed, setTyped] = useState('')
  const [busy, setBusy] = useState(false)
  const [first] = targets
  const what = targets.length === 1 && first ? `${displayKind(first.kind)} ${first.name}` : `${targets.length} objects`
  const phrase = targets.length > 1 ? `${verb.toLowerCase()} ${targets.length}` : unprotect ? first?.name : undefined
  const unseen = Math.max(0, targets.length - PREVIEWED_MAX)
  const preview = useQuery({
    queryKey: ['delete-preview', ...targets.map((target) => target.uid)],
    queryFn: ({ signal }) => allOf(targets.slice(0, PREVIEWED_MAX), (target) => previewDelete(target, signal)),
    gcTime: 0,
    retry: false,
  })
  const ready = targets.length > 0 && !preview.error && (!phrase || typed.trim() === phrase) && (running.length === 0 || force)

  const go = async () => {
    setBusy(true)
    const failures = await forEachOf(targets, (target) => remove(target, { force, unprotect }))
    const [failure] = failures
    if (failure) notifyError(`Cannot delete ${failure.item.name}${failures.length > 1 ? ` and ${failures.length - 1} more` : ''}`, failure.error)
    else notify({ tone: 'ok', title: `${verb.slice(0, -1)}ing ${what}` })
    onClose()
    if (failures.length < targets.length) onDone?.()
  }
  return (
    <Dialog
      title={`${verb} ${what}?`} onClose={onClose}
      footer={
        <>
          <button type="button" className="btn" data-autofocus="" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className="btn btn-danger" disabled={!ready || busy} onClick={() => void go()}>
            {verb}
          </button>
        </>
      }
    >
      {preview.error ? (
        <ProblemBox error={preview.error} compact />
      ) : preview.data ? (
        <div className="space-y-3">
          <Refs title="Goes for good" refs={[...(targets.length > 1 ? targets : []), ...preview.data.flatMap((each) => each.goes)]} />
          <Refs title="Stays" refs={preview.data.flatMap((each) => each.stays)} />
          {unseen > 0 && (
            <p className="text-warn">
              What belongs to the last {count(unseen, 'object')} goes, too; it is not listed here.
            </p>
          )}
        </div>
      ) : (
        <Skeleton rows={2} />
      )}
      {kept.length > 0 && <p className="mt-4">Protected, and kept: {kept.join(', ')}.</p>}
      {unprotect && <p className="mt-4 text-warn">{what} is protected against deletion.</p>}
      {running.length > 0 && (
        <label className="mt-4 flex items-start gap-2">
          <input type="checkbox" className="mt-0.5 size-4 accent-accent" checked={force} onChange={(event) => setForce(event.target.checked)} />
          <span>
            {running.length === 1 ? `${running[0]} is running` : `${running.length} are running`}: cut the power and delete anyway
          </span>
        </label>
      )}
      {phrase && (
        <div className="mt-4">
          <TextField label={`Type “${phrase}” to go on`} value={typed} onChange={(event) => setTyped(event.target.value)} />
        </div>
      )}
    </Dialog>
  )
}

function Refs({ title, refs }: { title: string; refs: ObjectRef[] }) {
  if (refs.length === 0) return null
  return (
    <section>
      <h3 className="mb-1 font-medium">
        {title} {refs.length > 1 && <span className="font-normal text-dim">{refs.length}</span>}
      </h3>
      <ul className="max-h-40 overflow-y-auto">
        {refs.map((ref) => (
          <li key={ref.uid} className="truncate">
            <span className="inline-block w-20 text-dim">{displayKind(ref.kind)}</span> {ref.name}
          </li>
        ))}
      </ul>
    </section>
  )
}
