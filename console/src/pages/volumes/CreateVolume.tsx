// The form for a new volume.
import { useState } from 'react'
import { createVolume } from '../../api/actions'
import { Problem } from '../../api/client'
import { useList } from '../../api/queries'
import { SelectField, TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { parseBytes } from '../../components/format'

export function CreateVolume({ project, onClose }: { project: string; onClose: () => void }) {
  const pools = useList('pool', project).data?.items ?? []
  const images = useList('image', project).data?.items ?? []
  const [name, setName] = useState('')
  const [size, setSize] = useState('20GiB')
  const [pool, setPool] = useState('default')
  const [format, setFormat] = useState<'qcow2' | 'raw'>('qcow2')
  const [image, setImage] = useState('')

  const submit = async () => {
    const count = size.trim() ? parseBytes(size, 'GiB') : undefined
    if (size.trim() && count === undefined)
      throw new Problem({ status: 0, code: 'invalid', message: `“${size}” is not a size`, field: 'spec.size', hint: 'write a number with a unit, such as 20GiB' })
    await createVolume(project, { meta: { name }, spec: { size: count, pool, format, image: image || undefined } })
  }
  return (
    <FormDialog title="Create a volume" submit="Create" onSubmit={submit} onClose={onClose} disabled={!name || (!size && !image)}>
      {(problem) => (
        <>
          <TextField label="Name" data-autofocus="" value={name} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          <TextField label="Size" value={size} error={errorAt(problem, 'spec.size')} hint={image ? 'Empty: the size of the image' : 'Such as 512MiB or 20GiB'} onChange={(e) => setSize(e.target.value)} />
          <div className="grid grid-cols-2 gap-3">
            <SelectField label="Pool" value={pool} onChange={(e) => setPool(e.target.value)} options={names(pools, 'default')} />
            <SelectField
              label="Format" value={format} onChange={(e) => setFormat(e.target.value === 'raw' ? 'raw' : 'qcow2')}
              options={[{ value: 'qcow2', label: 'qcow2 (grows, snapshots)' }, { value: 'raw', label: 'raw' }]}
            />
          </div>
          <SelectField
            label="Starts with" value={image} onChange={(e) => setImage(e.target.value)}
            options={[
              { value: '', label: 'Empty' },
              ...images
                .filter((each) => each.status.state === 'ready' && (each.status.content?.virtual_size ?? 0) > 0)
                .map((each) => ({ value: each.meta.name, label: `Image ${each.meta.name}` })),
            ]}
          />
        </>
      )}
    </FormDialog>
  )
}

function names(objects: { meta: { name: string } }[], fallback: string) {
  const all = objects.length > 0 ? objects.map((object) => object.meta.name) : [fallback]
  return all.map((name) => ({ value: name, label: name }))
}
