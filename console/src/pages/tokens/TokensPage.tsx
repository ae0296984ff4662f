// The list of tokens: create one for a script, revoke, see who is signed in.
import { useState } from 'react'
import { createToken } from '../../api/actions'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Token } from '../../api/types'
import { ageColumn, Dash, nameColumn } from '../../components/cells'
import { CommandLine, CopyButton } from '../../components/Copy'
import { Dialog } from '../../components/Dialog'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { dateTime } from '../../components/format'
import { Empty } from '../../components/Page'
import { RowDelete } from '../../components/RowDelete'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'

const PURPOSES = { api: 'script', sign_in: 'sign-in link', session: 'browser' }

const COLUMNS: Column<Token>[] = [
  nameColumn(),
  { id: 'purpose', title: 'For', width: '8rem', narrow: true, sort: (token) => token.spec.purpose, cell: (token) => PURPOSES[token.spec.purpose] },
  { id: 'description', title: 'Description', width: '16rem', choice: 'shown', cell: (token) => token.spec.description || <Dash /> },
  { id: 'owner', title: 'Created by', width: '9rem', choice: 'shown', sort: (token) => token.meta.owner, cell: (token) => token.meta.owner },
  {
    id: 'expires', title: 'Expires', width: '11rem', sort: (token) => token.spec.expires ?? '~',
    cell: (token) => (token.spec.expires ? dateTime(token.spec.expires) : 'never'),
  },
  ageColumn(),
  { id: 'actions', title: '', width: '3.5rem', narrow: true, right: true, cell: (token) => <RowDelete target={refOf('token', token)} verb="Revoke" /> },
]

export function TokensPage() {
  const [creating, setCreating] = useState(false)
  const [secret, setSecret] = useState<string>()
  return (
    <>
      <ListPage
        title="Tokens" id="tokens" query={useList('token', '')} columns={COLUMNS}
        empty={<Empty text="No tokens." command={<CommandLine text="novacron token create ci" />} />}
        actions={
          <button type="button" className="btn btn-primary" onClick={() => setCreating(true)}>
            Create a token
          </button>
        }
      />
      {creating && <CreateToken onClose={() => setCreating(false)} onSecret={setSecret} />}
      {secret && (
        <Dialog title="The new token" onClose={() => setSecret(undefined)}>
          <p className="mb-3">Copy it now: it is shown this once.</p>
          <div className="flex gap-2">
            <code className="min-w-0 flex-1 rounded-md bg-hover px-2.5 py-1.5 font-mono text-[13px] break-all">{secret}</code>
            <CopyButton text={secret} />
          </div>
        </Dialog>
      )}
    </>
  )
}

const DAYS = [['', 'never'], ['1', 'in a day'], ['30', 'in 30 days'], ['365', 'in a year']] as const

function CreateToken({ onClose, onSecret }: { onClose: () => void; onSecret: (secret: string) => void }) {
  const [name, setName] = useState('')
  const [description, setDescription] = useState('')
  const [days, setDays] = useState('30')
  const submit = async () => {
    const expires = days ? new Date(Date.now() + Number(days) * 86_400_000).toISOString() : undefined
    onSecret((await createToken(name, description, expires)).secret)
  }
  return (
    <FormDialog title="Create a token" submit="Create" onSubmit={submit} onClose={onClose} disabled={!name}>
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
