// Sends an image file from this machine.
import { useEffect, useRef, useState } from 'react'
import type { Sending } from '../../api/upload'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { FileField, UploadProgress } from './FileParts'
import { nameFromFile } from './names'
import { sendImage } from './sendImage'

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
    abort.current = new AbortController()
    const about = { os, sha256: sha256.trim().toLowerCase() || undefined }
    await sendImage(project, proposed, file, about, setSending, abort.current.signal)
  }
  return (
    <FormDialog title="Upload an image" submit="Upload" onSubmit={submit} onClose={onClose} disabled={!file || !proposed}>
      {(problem) => (
        <>
          <FileField accept=".qcow2,.raw,.img,.tar,.iso,.vmdk,.vhdx" hint="qcow2, raw, VMDK, VHDX, ISO, or a NovaCron bundle (tar)" onFile={setFile} />
          <TextField label="Name" value={name} placeholder={proposed} error={errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)} />
          <TextField
            label="SHA-256 (optional)" value={sha256} className="input font-mono text-[13px]" error={errorAt(problem, 'spec.sha256')}
            hint="The import fails if the content differs" onChange={(e) => setSha256(e.target.value)}
          />
          <TextField label="Operating system (optional)" value={os} placeholder="Debian 12" onChange={(e) => setOs(e.target.value)} />
          {file && sending && <UploadProgress sending={sending} total={file.size} />}
        </>
      )}
    </FormDialog>
  )
}
