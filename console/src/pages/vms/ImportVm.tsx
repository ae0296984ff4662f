// Makes a VM of what an export has saved: sends the file or lets a node fetch it, then makes the VM that is in it.
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { useList } from '../../api/queries'
import type { Sending } from '../../api/upload'
import { CommandLine } from '../../components/Copy'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { FileField, UploadProgress } from '../images/FileParts'
import { nameFromFile } from '../images/names'
import { bringVm, fetchVm, makeVm } from './importVm'

export function ImportVm({ project, onClose }: { project: string; onClose: () => void }) {
  const navigate = useNavigate()
  const taken = (useList('vm', project).data?.items ?? []).map((vm) => vm.meta.name)
  const [file, setFile] = useState<File>()
  const [url, setUrl] = useState('')
  const [name, setName] = useState('')
  const [start, setStart] = useState(false)
  const [sending, setSending] = useState<Sending>()
  const abort = useRef<AbortController>(undefined)
  // What has arrived stays for a day: the same file goes on from there.
  useEffect(() => () => abort.current?.abort(), [])

  const source = file?.name ?? url.trim()
  const image = name || nameFromFile(source)
  // Told before the file is sent: it may be large.
  const clash = taken.includes(name) ? `VM ${name} is here already` : undefined
  const submit = async () => {
    abort.current = new AbortController()
    const { signal } = abort.current
    const { status } = file ? await bringVm(project, image, file, setSending, signal) : await fetchVm(project, image, source, signal)
    signal.throwIfAborted()
    const vm = await makeVm(project, image, name || (status.content?.machine?.name ?? image), start, crypto.randomUUID())
    await navigate({ to: '/p/$project/vms/$name', params: { project, name: vm.meta.name } })
  }
  return (
    <FormDialog title="Import a VM" submit="Import" disabled={!source || !image || clash !== undefined} onSubmit={submit} onClose={onClose}>
      {(problem) => (
        <>
          <FileField accept=".tar" hint="What Export of a VM has saved (tar); it stays as an image, on which the VM’s disks lie" onFile={setFile} />
          <TextField
            label="or URL" type="url" value={url} disabled={file !== undefined} placeholder="https://…/web.tar" error={errorAt(problem, 'spec.source')}
            hint="http or https; a node fetches it" onChange={(e) => setUrl(e.target.value)}
          />
          <TextField
            label="Name" value={name} placeholder="as it was exported" error={clash ?? errorAt(problem, 'meta.name')} onChange={(e) => setName(e.target.value)}
            hint={image && `The image will be ${image}`}
          />
          <label className="flex items-center gap-2">
            <input type="checkbox" className="size-4 accent-accent" checked={start} onChange={(e) => setStart(e.target.checked)} /> Start it
          </label>
          {file && sending && <UploadProgress sending={sending} total={file.size} />}
          <CommandLine text={`novacron import ${source || 'FILE.tar'}${name && ` ${name}`}${start ? ' --start' : ''}`} stacked />
        </>
      )}
    </FormDialog>
  )
}
