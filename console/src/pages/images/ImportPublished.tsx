// The form that imports an image of the catalogue: a distribution's own, with its publisher's checksum.
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { createImage } from '../../api/actions'
import { catalogueQuery } from '../../api/queries'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { ProblemBox } from '../../components/Problem'
import { nameFromEntry } from './names'

export function ImportPublished({ project, onClose }: { project: string; onClose: () => void }) {
  const catalogue = useQuery(catalogueQuery)
  const entries = catalogue.data?.items ?? []
  const [chosen, setChosen] = useState('')
  const [name, setName] = useState('')
  const entry = entries.find((each) => each.name === chosen) ?? entries[0]
  const proposed = name || nameFromEntry(entry?.name ?? '')
  const submit = () =>
    createImage(project, { meta: { name: proposed }, spec: { source: { catalogue: entry?.name ?? '' }, os: entry?.os } })
  return (
    <FormDialog title="Import from the catalogue" submit="Import" onSubmit={submit} onClose={onClose} disabled={!entry}>
      {(problem) => (
        <>
          {catalogue.error && <ProblemBox error={catalogue.error} compact />}
          <SelectField
            label="Image" data-autofocus="" value={entry?.name ?? ''} error={errorAt(problem, 'spec.source')} hint={entry?.url}
            options={entries.map((each) => ({ value: each.name, label: each.os ? `${each.name}: ${each.os}` : each.name }))}
            onChange={(event) => setChosen(event.target.value)}
          />
          <TextField label="Name" value={name} placeholder={proposed} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
        </>
      )}
    </FormDialog>
  )
}
