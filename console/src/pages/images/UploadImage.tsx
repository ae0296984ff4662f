// Sends an image file from this machine.
import { useEffect, useRef, useState } from 'react'
import { createImage } from '../../api/actions'
import { asProblem } from '../../api/client'
import { FILE_ANNOTATION, fingerprint, uploadImage, waitsFor, type Sending } from '../../api/upload'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { bytes, percent } from '../../components/format'
import { nameFromFile } from './names'

export function UploadImage({ project, onClose }: { project: string; onClose: () => void }) {
  const [file, setFile] = useState<File>()
  const [name, setName] = useState('')
  const [os, setOs] = useState('')
  const [sha256, setSha256] = useState('')
  const [sending, setSending] = useState<Sending>()
  const abort = useRef<AbortController>(undefined)
  const proposed = name || nameFromFile(file?.name ?? '')
  // What has arrived stays for a day: the same file under the same name goes on from there.
  useEffect(() => () => abort.current?.abort(), [])

  const submit = async () => {
    if (!file) return
    await createOrGoOn(project, proposed, file, os, sha256)
    abort.current = new AbortController()
    await uploadImage(project, proposed, file, setSending, abort.current.signal)
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
              id="image-file" type="file" data-autofocus="" className="block w-full" accept=".qcow2,.raw,.img,.tar,.iso,.vmdk,.vhdx"
              onChange={(event) => setFile(event.target.files?.[0])}
            />
            <p className="mt-1 text-xs text-dim">qcow2, raw, VMDK, VHDX, ISO, or a NovaCron bundle (tar)</p>
          </div>
          <TextField label="Name" value={name} placeholder={proposed} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          <TextField
            label="SHA-256 (optional)" value={sha256} className="input font-mono text-[13px]" error={errorAt(problem, 'spec.sha256')}
            hint="The import fails if the content differs" onChange={(e) => setSha256(e.target.value)}
          />
          <TextField label="Operating system (optional)" value={os} placeholder="Debian 12" onChange={(e) => setOs(e.target.value)} />
          {file && sending && <Progress sending={sending} total={file.size} />}
        </>
      )}
    </FormDialog>
  )
}

function Progress({ sending, total }: { sending: Sending; total: number }) {
  const share = percent(sending.sent, total)
  return (
    <div className="space-y-1">
      <div
        className="h-1.5 w-full overflow-hidden rounded-full bg-line" role="progressbar" aria-label="Sent"
        aria-valuenow={share} aria-valuemin={0} aria-valuemax={100}
      >
        <div className="h-full bg-accent" style={{ width: `${share}%` }} />
      </div>
      <p role="status" className="text-dim">
        {bytes(sending.sent)} of {bytes(total)} sent ({share} %)
        {sending.broken && ` – ${sending.broken}; it goes on by itself`}
      </p>
    </div>
  )
}

/** An image of this name that waits for the same file is the one that a former try has made. */
async function createOrGoOn(project: string, name: string, file: File, os: string, sha256: string): Promise<void> {
  const sum = sha256.trim().toLowerCase() || undefined
  try {
    const meta = { name, annotations: { [FILE_ANNOTATION]: fingerprint(file) } }
    await createImage(project, { meta, spec: { source: { upload: {} }, os, sha256: sum } })
  } catch (error) {
    if (asProblem(error).code !== 'conflict' || !(await waitsFor(project, name, file, sum))) throw error
  }
}
