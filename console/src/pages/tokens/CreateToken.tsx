// The form for a new token, and its secret, shown once.
import { useState } from 'react'
import { createToken } from '../../api/actions'
import { CopyButton } from '../../components/Copy'
import { Dialog } from '../../components/Dialog'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'

const DAYS = [['', 'never'], ['1', 'in a day'], ['30', 'in 30 days'], ['365', 'in a year']] as const

export function CreateToken({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [days, setDays] = useState('30')
  const [secret, setSecret] = useState<string>()
  const submit = async () => {
    const expires = days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined
    setSecret((await createToken(name, description, expires)).secret)
  }
  if (secret) return <NewSecret secret={secret} onClose={onClose} />
  return (
    <FormDialog title="Create a token" submit="Create" onSubmit={submit} onClose={onClose} stays disabled={!name}>
      {(problem) => (
        <>
          <TextField label="Name" data-autofocus="" value={name} placeholder="ci" error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          <TextField label="Description (optional)" value={description} onChange={(e) => setDescription(e.target.value)} />
          <SelectField label="Expires" value={days} onChange={(e) => setDays(e.target.value)} options={DAYS.map(([value, label]) => ({ value, label }))} />
        </>
      )}
    </FormDialog>
  )
}

function NewSecret({ secret, onClose }: { secret: string; onClose: () => void }) {
  return (
    <Dialog title="The new token" onClose={onClose}>
      <p className="mb-3">Copy it now: it is shown this once.</p>
      <div className="flex gap-2">
        <code className="min-w-0 flex-1 rounded-md bg-hover px-2.5 py-1.5 font-mono text-[13px] break-all">{secret}</code>
        <CopyButton text={secret} />
      </div>
    </Dialog>
  )
}
