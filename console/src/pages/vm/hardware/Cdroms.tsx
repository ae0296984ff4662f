// A VM's CD-ROM drives and the ISO images in them.
import { Plus, Trash2 } from 'lucide-react'
import { useList } from '../../../api/queries'
import type { Cdrom, Vm } from '../../../api/types'
import { SelectField } from '../../../components/Field'
import { errorAt } from '../../../components/FormDialog'
import { Section, type FormProps } from './Section'

interface CdromsForm {
  drives: { name: string; image: string }[]
}

const DRIVES_MAX = 4

export function Cdroms({ vm }: { vm: Vm }) {
  const { cdroms } = vm.spec
  return (
    <Section
      title="CD-ROM" vm={vm} begin={begin} read={(form: CdromsForm) => ({ spec: { cdroms: form.drives.map(toDrive) } })}
      fields={(props) => <Fields {...props} vm={vm} />}
    >
      <ul className="space-y-1.5">
        {cdroms.map((drive) => (
          <li key={drive.name} className="flex gap-x-3">
            <span className="w-14 shrink-0 text-dim">{drive.name}</span>
            <span className="min-w-0 truncate">{drive.image ?? <span className="text-dim">empty</span>}</span>
          </li>
        ))}
        {cdroms.length === 0 && <li className="text-dim">No drive.</li>}
      </ul>
    </Section>
  )
}

const begin = (vm: Vm): CdromsForm => ({ drives: vm.spec.cdroms.map(({ name, image }) => ({ name, image: image ?? '' })) })

function toDrive({ name, image }: CdromsForm['drives'][number]): Cdrom {
  return image ? { name, image } : { name }
}

function Fields({ form, set, problem, vm }: FormProps<CdromsForm> & { vm: Vm }) {
  const images = useList('image', vm.meta.project ?? 'default').data?.items ?? []
  const isos = images.filter((image) => image.status.content?.kind === 'iso').map((image) => image.meta.name)
  const taken = [...form.drives.map((drive) => drive.name), ...vm.spec.disks.map((disk) => disk.name)]
  const add = () => {
    let n = 0
    while (taken.includes(`cd${n}`)) n += 1
    set({ drives: [...form.drives, { name: `cd${n}`, image: isos[0] ?? '' }] })
  }
  return (
    <div className="space-y-3">
      {form.drives.map((drive, index) => (
        <div key={drive.name} className="flex items-end gap-2">
          <div className="min-w-0 flex-1">
            <SelectField
              label={`ISO in ${drive.name}`} value={drive.image} error={errorAt(problem, `spec.cdroms.${index}`, `spec.cdroms[${index}]`)}
              options={[{ value: '', label: 'Empty' }, ...[...new Set([...isos, drive.image])].filter(Boolean).map((name) => ({ value: name, label: name }))]}
              onChange={(event) => set({ drives: form.drives.map((each, at) => (at === index ? { ...each, image: event.target.value } : each)) })}
            />
          </div>
          <button type="button" className="btn btn-icon" aria-label={`Remove drive ${drive.name}`} title="Remove" onClick={() => set({ drives: form.drives.filter((_, at) => at !== index) })}>
            <Trash2 size={14} aria-hidden="true" />
          </button>
        </div>
      ))}
      <button type="button" className="btn" disabled={form.drives.length >= DRIVES_MAX} onClick={add}>
        <Plus size={14} aria-hidden="true" /> Add a drive
      </button>
    </div>
  )
}
