// A VM's spec as YAML: read it, change it, look at the difference, save it. What somebody else changed
// meanwhile is never written over: then the own changes are put on top of theirs, or given up.
import { useState } from 'react'
import { patchVm } from '../../../api/actions'
import { noteObject, queryClient, keys } from '../../../api/cache'
import { asProblem, type Problem } from '../../../api/client'
import type { Vm, VmPatch } from '../../../api/types'
import { CommandLine } from '../../../components/Copy'
import { useDraft } from '../../../components/hooks'
import { notify } from '../../../components/notices'
import { ProblemBox } from '../../../components/Problem'
import { difference, patched } from './patch'
import { ReviewDialog } from './ReviewDialog'
import { editable, readText, toText } from './text'

interface Edit {
  /** What the user saw when the editing began. */
  base: Vm
  text: string
}

export function VmSpecTab({ vm }: { vm: Vm }) {
  const { edit, type, drop, rebase, saved } = useEdit(vm)
  const [reviewing, setReviewing] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const text = edit?.text ?? toText(editable(vm))
  const read = edit && readText(edit.text)
  const change = edit && read?.ok ? difference(editable(edit.base), read.value) : undefined
  const stale = edit !== undefined && edit.base.meta.revision !== vm.meta.revision
  const unreadable = read && !read.ok ? read.message : undefined

  const save = async () => {
    if (!edit || !change) return
    setProblem(undefined)
    try {
      noteObject('vm', await patchVm(edit.base, change as VmPatch))
      saved()
      notify({ tone: 'ok', title: `Saved ${vm.meta.name}` })
    } catch (error) {
      setProblem(asProblem(error))
      if (asProblem(error).code === 'precondition_failed')
        await queryClient.invalidateQueries({ queryKey: keys.object('vm', vm.meta.project ?? '', vm.meta.name) })
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
        className="input min-h-96 flex-1 resize-none leading-5" aria-label={`Spec of ${vm.meta.name}`} aria-describedby="spec-hint"
        aria-invalid={unreadable !== undefined || undefined} spellCheck={false} autoComplete="off" value={text} onChange={(event) => type(event.target.value)}
      />
      <CommandLine text={`novacron edit vm ${vm.meta.name}`} />
      {reviewing && edit && <ReviewDialog name={vm.meta.name} before={toText(editable(edit.base))} after={edit.text} onSave={save} onClose={() => setReviewing(false)} />}
    </div>
  )
}

function useEdit(vm: Vm) {
  const [edit, setEdit] = useDraft<Edit>(`spec.${vm.meta.uid}`)
  const type = (text: string) => {
    const base = edit?.base ?? vm
    setEdit(text === toText(editable(base)) ? undefined : { base, text })
  }
  const rebase = () => {
    const read = edit && readText(edit.text)
    if (!edit || !read?.ok) return
    const mine = difference(editable(edit.base), read.value)
    setEdit(mine === undefined ? undefined : { base: vm, text: toText(patched(editable(vm), mine)) })
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
