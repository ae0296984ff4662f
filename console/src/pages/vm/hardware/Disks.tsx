// A VM's disks: which volumes they are, attach another, detach one.
import { Link } from '@tanstack/react-router'
import { Link2, Unlink } from 'lucide-react'
import { useState } from 'react'
import { attach, detach } from '../../../api/actions'
import { useList } from '../../../api/queries'
import type { DiskBus, Vm, Volume } from '../../../api/types'
import { SelectField } from '../../../components/Field'
import { errorAt, FormDialog } from '../../../components/FormDialog'
import { bytes } from '../../../components/format'
import { notifyError } from '../../../components/notices'
import { Panel } from '../../../components/Page'
import { StateMark } from '../../../components/StateMark'
import { BusField } from '../../volumes/BusField'
import { ChangeButton } from '../../volumes/ChangeVolume'

export function Disks({ vm }: { vm: Vm }) {
  const [attaching, setAttaching] = useState(false)
  const volumes = useList('volume', vm.meta.project ?? 'default').data?.items ?? []
  const disks = vm.spec.disks
  return (
    <Panel
      title="Disks"
      actions={
        <button type="button" className="btn btn-quiet h-7 px-2" onClick={() => setAttaching(true)}>
          <Link2 size={14} aria-hidden="true" /> Attach a volume
        </button>
      }
    >
      <ul className="space-y-1">
        {disks.map((disk) => (
          <DiskLine key={disk.name} vm={vm} disk={disk} volume={volumes.find((each) => each.meta.name === disk.volume)} />
        ))}
        {disks.length === 0 && <li className="text-dim">None.</li>}
      </ul>
      {attaching && <AttachVolume vm={vm} volumes={volumes} onClose={() => setAttaching(false)} />}
    </Panel>
  )
}

function DiskLine({ vm, disk, volume }: { vm: Vm; disk: Vm['spec']['disks'][number]; volume: Volume | undefined }) {
  const project = vm.meta.project ?? 'default'
  const name = disk.volume
  const away = () => {
    if (name) detach(project, vm.meta.name, name).catch((error: unknown) => notifyError(`Cannot detach ${name}`, error))
  }
  return (
    <li className="flex min-h-8 flex-wrap items-center gap-x-3">
      <span className="w-14 shrink-0 truncate text-dim" title={disk.name}>
        {disk.name}
      </span>
      {name && (
        <Link to="/p/$project/volumes" params={{ project }} search={{ q: name }} className="link min-w-0 truncate">
          {name}
        </Link>
      )}
      {volume && (
        <span className="text-dim">
          {bytes(volume.spec.size)} {volume.spec.format}, pool {volume.spec.pool}
        </span>
      )}
      {volume && volume.status.state !== 'ready' && <StateMark state={volume.status.state} title={volume.status.reason} />}
      {disk.owned && <span className="chip">goes with the VM</span>}
      <span className="ml-auto">{volume && <ChangeButton volume={volume} />}</span>
      {name && (
        <button type="button" className="btn btn-quiet btn-icon h-7 w-7" aria-label={`Detach ${name}`} title="Detach" onClick={away}>
          <Unlink size={14} aria-hidden="true" />
        </button>
      )}
    </li>
  )
}

function AttachVolume({ vm, volumes, onClose }: { vm: Vm; volumes: Volume[]; onClose: () => void }) {
  const project = vm.meta.project ?? 'default'
  const node = vm.status.placement?.node
  const free = volumes.filter((volume) => !volume.status.attachment && volume.status.state === 'ready' && (!node || !volume.status.location || volume.status.location.node === node))
  const [chosen, setChosen] = useState('')
  const [bus, setBus] = useState<DiskBus | ''>('')
  const name = chosen || (free[0]?.meta.name ?? '')
  return (
    <FormDialog title={`Attach a volume to ${vm.meta.name}`} submit="Attach" disabled={!name} onClose={onClose} onSubmit={() => attach(project, vm.meta.name, name, bus || undefined)}>
      {(problem) =>
        free.length === 0 ? (
          <p>
            No volume is free.{' '}
            <Link to="/p/$project/volumes" params={{ project }} className="link">
              Create one
            </Link>{' '}
            first.
          </p>
        ) : (
          <>
            <SelectField
              label="Volume" data-autofocus="" value={name} error={errorAt(problem, 'volume')} hint="It becomes the last disk"
              options={free.map((each) => ({ value: each.meta.name, label: `${each.meta.name}, ${bytes(each.spec.size)}` }))}
              onChange={(event) => setChosen(event.target.value)}
            />
            <BusField vm={vm} value={bus} onChange={setBus} />
          </>
        )
      }
    </FormDialog>
  )
}
