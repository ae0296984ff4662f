// The choice of what a VM starts from, as cards: own images, ISOs, the catalogue, or nothing.
import { Disc3, Library, Package, SquareDashed, type LucideIcon } from 'lucide-react'
import { useId, type ReactNode } from 'react'
import type { CatalogueEntry, Image } from '../../api/types'
import { bytes } from '../../components/format'
import { Skeleton } from '../../components/Page'
import { StateMark } from '../../components/StateMark'

interface Props {
  images: Image[]
  published: CatalogueEntry[]
  /** The catalogue has not answered yet. */
  pending: boolean
  chosen: string
  empty: boolean
  onChoose: (name: string) => void
  onEmpty: () => void
}

const WHAT = { bundle: 'direct boot', disk: 'disk', iso: 'ISO, beside an empty disk' }

export function ImageCards({ images, published, pending, chosen, empty, onChoose, onEmpty }: Props) {
  const isos = images.filter((image) => image.status.content?.kind === 'iso')
  const mine = images.filter((image) => !isos.includes(image))
  const own = (image: Image) => (
    <Card
      key={image.meta.uid} icon={image.status.content?.kind === 'bundle' ? Package : Disc3} title={image.meta.name} value={image.meta.name}
      checked={image.meta.name === chosen} disabled={image.status.state !== 'ready'} onChoose={() => onChoose(image.meta.name)} text={described(image)}
    />
  )
  return (
    <fieldset className="space-y-3">
      <legend className="text-base font-semibold">Image</legend>
      {mine.length > 0 && <Group title="Mine">{mine.map(own)}</Group>}
      {isos.length > 0 && <Group title="ISO">{isos.map(own)}</Group>}
      {published.length > 0 && (
        <Group title="Catalogue">
          {published.map((entry) => (
            <Card
              key={entry.name} icon={Library} title={entry.name} value={entry.name} checked={entry.name === chosen}
              onChoose={() => onChoose(entry.name)} text={[entry.os, 'imported first'].filter(Boolean).join(', ')}
            />
          ))}
        </Group>
      )}
      {pending && (
        <div>
          <h3 className="mb-1 text-dim">Catalogue</h3>
          <Skeleton rows={2} />
        </div>
      )}
      <Group title="No image">
        <Card icon={SquareDashed} title="Empty" value="" checked={empty} onChoose={onEmpty} text="an empty disk" />
      </Group>
    </fieldset>
  )
}

function described(image: Image): ReactNode {
  const content = image.status.content
  if (image.status.state !== 'ready') return <StateMark state={image.status.state} />
  return [image.spec.os, content?.machine ? 'whole VM' : WHAT[content?.kind ?? 'disk'], content && bytes(content.virtual_size || content.size)].filter(Boolean).join(', ')
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  const id = useId()
  return (
    <div role="group" aria-labelledby={id}>
      <h3 id={id} className="mb-1 text-dim">
        {title}
      </h3>
      <div className="grid grid-cols-[repeat(auto-fill,minmax(13rem,1fr))] gap-2">{children}</div>
    </div>
  )
}

interface CardProps {
  icon: LucideIcon
  title: string
  /** Nothing for no image: no image may be named so. */
  value: string
  text: ReactNode
  checked: boolean
  disabled?: boolean
  onChoose: () => void
}

function Card({ icon: Icon, title, value, text, checked, disabled, onChoose }: CardProps) {
  return (
    <label
      className={`panel flex gap-3 p-3 has-focus-visible:outline-2 has-focus-visible:outline-accent ${checked ? 'border-accent bg-accent-soft' : 'hover:bg-hover'} ${disabled ? 'opacity-60' : 'cursor-pointer'}`}
    >
      <input type="radio" name="image" className="sr-only" value={value} checked={checked} disabled={disabled} onChange={onChoose} />
      <Icon size={22} className={`mt-0.5 shrink-0 ${checked ? 'text-accent' : 'text-dim'}`} aria-hidden="true" />
      <span className="min-w-0">
        <span className="block truncate font-medium">{title}</span>
        <span className="block truncate text-dim">{text}</span>
      </span>
    </label>
  )
}
