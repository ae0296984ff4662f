// Makes a VM of an image that holds a whole one.
import { useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { useList } from '../../api/queries'
import type { Image } from '../../api/types'
import { CommandLine } from '../../components/Copy'
import { TextField } from '../../components/Field'
import { errorAt, FormDialog } from '../../components/FormDialog'
import { makeVm } from './importVm'
import { MachineFacts } from './MachineFacts'

export function MakeVm({ image, onClose }: { image: Image; onClose: () => void }) {
  const navigate = useNavigate()
  const project = image.meta.project ?? 'default'
  const taken = (useList('vm', project).data?.items ?? []).map((vm) => vm.meta.name)
  const was = image.status.content?.machine?.name ?? ''
  const [typed, setTyped] = useState('')
  const [start, setStart] = useState(false)
  const key = useRef('')
  const name = typed || (taken.includes(was) ? '' : was)
  const submit = async () => {
    key.current ||= crypto.randomUUID()
    await makeVm(project, image.meta.name, name, start, key.current)
    await navigate({ to: '/p/$project/vms/$name', params: { project, name } })
  }
  const change = (act: () => void) => {
    key.current = ''
    act()
  }
  return (
    <FormDialog title={`Make a VM of ${image.meta.name}`} submit="Make" disabled={!name} onSubmit={submit} onClose={onClose}>
      {(problem) => (
        <>
          <MachineFacts image={image} />
          <TextField
            label="Name" data-autofocus="" value={typed} placeholder={name} error={errorAt(problem, 'meta.name')} onChange={(e) => change(() => setTyped(e.target.value))}
            hint={taken.includes(was) ? `VM ${was} is here already` : undefined}
          />
          <label className="flex items-center gap-2">
            <input type="checkbox" className="size-4 accent-accent" checked={start} onChange={(e) => change(() => setStart(e.target.checked))} /> Start it
          </label>
          <CommandLine text={`novacron vm create ${name || 'NAME'} --image ${image.meta.name}${start ? ` && novacron start ${name || 'NAME'}` : ''}`} stacked />
        </>
      )}
    </FormDialog>
  )
}
