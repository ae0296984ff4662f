// Name and size of a new VM.
import { TextField } from '../../components/Field'
import { SIZES } from './draft'
import type { PartProps } from './LaunchPage'

/** `name` is what was typed; `form.name` holds the proposal while nothing is. */
export function NameAndSize({ form, set, wrong, name, hasDisk }: PartProps & { name: string; hasDisk: boolean }) {
  return (
    <section className="space-y-4">
      <div className="max-w-sm">
        <TextField
          label="Name" value={name} placeholder={form.name} error={wrong['meta.name']} hint="a-z, 0-9 and -; it cannot be changed later"
          onChange={(event) => set({ name: event.target.value })}
        />
      </div>
      <fieldset>
        <legend className="mb-2 font-medium">Size</legend>
        <div className="grid grid-cols-2 gap-2 sm:grid-cols-4">
          {SIZES.map((size) => (
            <SizeCard
              key={size.id} id={size.id} checked={form.size === size.id} title={size.id} lines={[`${size.cpus} CPU${size.cpus > 1 ? 's' : ''}, ${size.memory.replace('G', ' G')}`, hasDisk ? `${size.disk.replace('G', ' G')} disk` : '']}
              onChoose={() => set({ size: size.id, cpus: String(size.cpus), memory: size.memory, disk: size.disk })}
            />
          ))}
          <SizeCard id="custom" checked={form.size === 'custom'} title="Custom" lines={['as you say']} onChoose={() => set({ size: 'custom' })} />
        </div>
      </fieldset>
      {form.size === 'custom' && (
        <div className="grid max-w-xl gap-3 sm:grid-cols-3">
          <TextField label="CPUs" inputMode="numeric" value={form.cpus} error={wrong['spec.cpus']} onChange={(event) => set({ cpus: event.target.value })} />
          <TextField label="Memory" value={form.memory} error={wrong['spec.memory']} onChange={(event) => set({ memory: event.target.value })} />
          {hasDisk && <TextField label="Disk" value={form.disk} error={wrong['spec.disks']} hint={form.empty ? 'Empty: no disk' : undefined} onChange={(event) => set({ disk: event.target.value })} />}
        </div>
      )}
    </section>
  )
}

interface CardProps {
  id: string
  title: string
  lines: string[]
  checked: boolean
  onChoose: () => void
}

function SizeCard({ id, title, lines, checked, onChoose }: CardProps) {
  return (
    <label
      className={`panel cursor-pointer p-3 has-focus-visible:outline-2 has-focus-visible:outline-accent ${checked ? 'border-accent bg-accent-soft' : 'hover:bg-hover'}`}
    >
      <input type="radio" name="size" className="sr-only" value={id} checked={checked} onChange={onChoose} />
      <span className="block font-semibold">{title}</span>
      {lines.filter(Boolean).map((line) => (
        <span key={line} className="block text-dim">
          {line}
        </span>
      ))}
    </label>
  )
}
