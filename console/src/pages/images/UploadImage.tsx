// Sends an image file from this machine.
import { useState } from 'react'
import { createImage } from '../../api/actions'
import { uploadImage } from '../../api/upload'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { bytes, percent } from '../../components/format'
import { nameFromFile } from './names'

export function UploadImage({ project, onClose }: { project: string; onClose: () => void }) {
  const [file, setFile] = useState<File>()
  const [name, setName] = useState('')
  const [os, setOs] = useState('')
  const [sent, setSent] = useState<number>()
  const [created, setCreated] = useState<string>()
  const proposed = name || nameFromFile(file?.name ?? '')

  const submit = async () => {
    if (!file) return
    // A second try after a broken connection finds its image already there.
    if (created !== proposed) await createImage(project, { meta: { name: proposed }, spec: { source: { upload: {} }, os } })
    setCreated(proposed)
    await uploadImage(project, proposed, file, setSent)
  }
  return (
    <FormDialog title="Upload an image" submit="Upload" onSubmit={submit} onClose={onClose} disabled={!file || !proposed}>
      {(problem) => (
        <>
          <div>
            <label className="mb-1 block font-medium" htmlFor="image-file">
              File
            </label>
            <input
              id="image-file" type="file" data-autofocus="" className="block w-full" accept=".qcow2,.raw,.img,.tar"
              onChange={(event) => setFile(event.target.files?.[0])}
            />
            <p className="mt-1 text-xs text-dim">qcow2, raw, or a NovaCron bundle (tar)</p>
          </div>
          <TextField label="Name" value={name} placeholder={proposed} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          <TextField label="Operating system (optional)" value={os} placeholder="Debian 12" onChange={(e) => setOs(e.target.value)} />
          {file && sent !== undefined && (
            <p role="status" className="text-dim">
              {bytes(sent)} of {bytes(file.size)} sent ({percent(sent, file.size)} %)
            </p>
          )}
        </>
      )}
    </FormDialog>
  )
}
