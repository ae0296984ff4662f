// The form that lets a node fetch an image.
import { useState } from 'react'
import { createImage } from '../../api/actions'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { nameFromFile } from './names'

export function ImportImage({ project, onClose }: { project: string; onClose: () => void }) {
  const [url, setUrl] = useState('')
  const [name, setName] = useState('')
  const [sha256, setSha256] = useState('')
  const [os, setOs] = useState('')
  const proposed = name || nameFromFile(url)
  const submit = () =>
    createImage(project, {
      meta: { name: proposed },
      spec: { source: { url: url.trim() }, sha256: sha256.trim().toLowerCase() || undefined, os },
    })
  return (
    <FormDialog title="Import an image" submit="Import" onSubmit={submit} onClose={onClose} disabled={!url || !proposed}>
      {(problem) => (
        <>
          <TextField
            label="URL" type="url" data-autofocus="" value={url} placeholder="https://…/debian-12-genericcloud-amd64.qcow2"
            hint="http or https; qcow2, raw, vmdk, vhdx, ISO, or a NovaCron bundle" error={errorAt(problem, 'spec.source')} onChange={(e) => setUrl(e.target.value)}
          />
          <TextField label="Name" value={name} placeholder={proposed} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          <TextField
            label="SHA-256 (optional)" value={sha256} className="input font-mono text-[13px]" error={errorAt(problem, 'spec.sha256')}
            hint="The import fails if the content differs" onChange={(e) => setSha256(e.target.value)}
          />
          <TextField label="Operating system (optional)" value={os} placeholder="Debian 12" onChange={(e) => setOs(e.target.value)} />
        </>
      )}
    </FormDialog>
  )
}
