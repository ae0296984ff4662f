// The choice of an image, as cards.
import { Disc3, Package, SquareDashed } from 'lucide-react'
import type { Image } from '../../api/types'
import { bytes } from '../../components/format'
import { StateMark } from '../../components/StateMark'

interface Props {
  images: Image[]
  chosen: string
  empty: boolean
  onChoose: (name: string) => void
  onEmpty: () => void
}

export function ImageCards({ images, chosen, empty, onChoose, onEmpty }: Props) {
  return (
    <fieldset>
      <legend className="mb-2 text-base font-semibold">Image</legend>
      <div className="grid grid-cols-[repeat(auto-fill,minmax(13rem,1fr))] gap-2">
        {images.map((image) => (
          <Card key={image.meta.uid} image={image} checked={image.meta.name === chosen} onChoose={() => onChoose(image.meta.name)} />
        ))}
        <EmptyCard checked={empty} onChoose={onEmpty} />
      </div>
    </fieldset>
  )
}

const CARD = 'panel flex gap-3 p-3 has-focus-visible:outline-2 has-focus-visible:outline-accent'

/** Its value is no name that an image may have. */
function EmptyCard({ checked, onChoose }: { checked: boolean; onChoose: () => void }) {
  return (
    <label className={`${CARD} cursor-pointer ${checked ? 'border-accent bg-accent-soft' : 'hover:bg-hover'}`}>
      <input type="radio" name="image" className="sr-only" value="" checked={checked} onChange={onChoose} />
      <SquareDashed size={22} className={`mt-0.5 shrink-0 ${checked ? 'text-accent' : 'text-dim'}`} aria-hidden="true" />
      <span className="min-w-0">
        <span className="block truncate font-medium">Empty</span>
        <span className="block truncate text-dim">an empty disk</span>
      </span>
    </label>
  )
}

const WHAT = { bundle: 'direct boot', disk: 'disk', iso: 'ISO, beside an empty disk' }

function Card({ image, checked, onChoose }: { image: Image; checked: boolean; onChoose: () => void }) {
  const ready = image.status.state === 'ready'
  const content = image.status.content
  const Icon = content?.kind === 'bundle' ? Package : Disc3
  return (
    <label
      className={`${CARD} ${checked ? 'border-accent bg-accent-soft' : 'hover:bg-hover'} ${ready ? 'cursor-pointer' : 'opacity-60'}`}
    >
      <input type="radio" name="image" className="sr-only" value={image.meta.name} checked={checked} disabled={!ready} onChange={onChoose} />
      <Icon size={22} className={`mt-0.5 shrink-0 ${checked ? 'text-accent' : 'text-dim'}`} aria-hidden="true" />
      <span className="min-w-0">
        <span className="block truncate font-medium">{image.meta.name}</span>
        {ready ? (
          <span className="block truncate text-dim">
            {[image.spec.os, WHAT[content?.kind ?? 'disk'], content && bytes(content.virtual_size || content.size)].filter(Boolean).join(', ')}
          </span>
        ) : (
          <StateMark state={image.status.state} />
        )}
      </span>
    </label>
  )
}
