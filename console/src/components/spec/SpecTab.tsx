// An object's spec as YAML: read it, change it, look at the difference, save it. What somebody else changed
// meanwhile is never written over: then the own changes are put on top of theirs, or given up.
import { useState } from 'react'
import { noteObject, queryClient, keys } from '../../api/cache'
import { asProblem, type Problem } from '../../api/client'
import type { AnyObject, KindName, Kinds } from '../../api/types'
import { CommandLine } from '../Copy'
import { useDraft } from '../hooks'
import { notify } from '../notices'
import { ProblemBox } from '../Problem'
import { difference, patched, type Json } from './patch'
import { ReviewDialog } from './ReviewDialog'
import { editable, readText, toText } from './text'

interface Edit<T> {
  /** What the user saw when the editing began. */
  base: T
  text: string
}

interface Props<K extends KindName> {
  kind: K
  object: Kinds[K]
  /** What opens the same in an editor. */
  command: string
  /** Changes `base`, unless somebody was faster. */
  save: (base: Kinds[K], patch: Json) => Promise<Kinds[K]>
}

export function SpecTab<K extends KindName>({ kind, object, command, save: send }: Props<K>) {
  const { edit, type, drop, rebase, saved } = useEdit(object)
  const { name } = object.meta
  const [reviewing, setReviewing] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const text = edit?.text ?? toText(editable(object))
  const read = edit && readText(edit.text)
  const change = edit && read?.ok ? difference(editable(edit.base), read.value) : undefined
  const stale = edit !== undefined && edit.base.meta.revision !== object.meta.revision
  const unreadable = read && !read.ok ? read.message : undefined

  const save = async () => {
    if (!edit || !change) return
    setProblem(undefined)
    try {
      noteObject(kind, await send(edit.base, change))
      saved()
      notify({ tone: 'ok', title: `Saved ${name}` })
    } catch (error) {
      setProblem(asProblem(error))
      if (asProblem(error).code === 'precondition_failed')
        await queryClient.invalidateQueries({ queryKey: keys.object(kind, object.meta.project ?? '', name) })
    }
    setReviewing(false)
  }
  const again = (next: () => void) => () => {
    setProblem(undefined)
    next()
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-3">
      {stale ? (
        <Stale unreadable={unreadable !== undefined} onRebase={again(rebase)} onDrop={again(drop)} />
      ) : (
        problem && <ProblemBox error={problem} compact />
      )}
      <div className="flex flex-wrap items-center gap-2">
        <p id="spec-hint" className={`min-w-0 flex-1 basis-60 ${unreadable ? 'text-bad' : 'text-dim'}`} role="status">
          {unreadable ?? (edit ? 'Changed, not saved yet' : 'Labels, annotations and spec; what is left out is taken away')}
        </p>
        <button type="button" className="btn" disabled={!edit} onClick={again(drop)}>
          Discard
        </button>
        <button type="button" className="btn btn-primary" disabled={!change || stale} onClick={() => setReviewing(true)}>
          Review and save
        </button>
      </div>
      <textarea
        className="input min-h-96 flex-1 resize-none leading-5" aria-label={`Spec of ${name}`} aria-describedby="spec-hint"
        aria-invalid={unreadable !== undefined || undefined} spellCheck={false} autoComplete="off" value={text} onChange={(event) => type(event.target.value)}
      />
      <CommandLine text={command} />
      {reviewing && edit && <ReviewDialog name={name} before={toText(editable(edit.base))} after={edit.text} onSave={save} onClose={() => setReviewing(false)} />}
    </div>
  )
}

function useEdit<T extends AnyObject>(object: T) {
  const [edit, setEdit] = useDraft<Edit<T>>(`spec.${object.meta.uid}`)
  const type = (text: string) => {
    const base = edit?.base ?? object
    setEdit(text === toText(editable(base)) ? undefined : { base, text })
  }
  const rebase = () => {
    const read = edit && readText(edit.text)
    if (!edit || !read?.ok) return
    const mine = difference(editable(edit.base), read.value)
    setEdit(mine === undefined ? undefined : { base: object, text: toText(patched(editable(object), mine)) })
  }
  const drop = () => setEdit(undefined)
  return { edit, type, drop, rebase, saved: drop }
}

function Stale({ unreadable, onRebase, onDrop }: { unreadable: boolean; onRebase: () => void; onDrop: () => void }) {
  return (
    <div role="alert" className="flex flex-wrap items-center gap-2 rounded-md bg-warn-soft px-3 py-2">
      <p className="min-w-0 flex-1 basis-60">
        <span className="font-medium">It was changed elsewhere since you began.</span> Saving now would undo that.
      </p>
      <button type="button" className="btn" onClick={onDrop}>
        Discard mine
      </button>
      <button type="button" className="btn" disabled={unreadable} onClick={onRebase}>
        Put my changes on top
      </button>
    </div>
  )
}
