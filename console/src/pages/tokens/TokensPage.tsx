// The list of tokens: create one for a script, revoke, see who is signed in.
import { useState } from 'react'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import type { Token } from '../../api/types'
import { ageColumn, Dash, nameColumn } from '../../components/cells'
import { CommandLine } from '../../components/Copy'
import { dateTime } from '../../components/format'
import { Empty } from '../../components/Page'
import { BulkDelete, RowDelete } from '../../components/RowDelete'
import type { Column } from '../../components/table/columns'
import { ListPage } from '../../components/table/ListPage'
import { CreateToken } from './CreateToken'

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
  return (
    <>
      <ListPage
        title="Tokens" id="tokens" query={useList('token', '')} columns={COLUMNS}
        bulk={(rows, clear) => <BulkDelete targets={rows.map((row) => refOf('token', row))} verb="Revoke" onDone={clear} />}
        empty={<Empty text="No tokens." command={<CommandLine text="novacron token create ci" />} />}
        actions={
          <button type="button" className="btn btn-primary" onClick={() => setCreating(true)}>
            Create a token
          </button>
        }
      />
      {creating && <CreateToken onClose={() => setCreating(false)} />}
    </>
  )
}
