// Launching a VM: one page from the image to the running guest, with the same command beside it.
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useRef, useState } from 'react'
import { createVm } from '../../api/actions'
import { asProblem, type Problem } from '../../api/client'
import { catalogueQuery, useList } from '../../api/queries'
import type { CatalogueEntry, Image } from '../../api/types'
import { useProject } from '../../app/project'
import { CommandLine } from '../../components/Copy'
import { useDraft } from '../../components/hooks'
import { Loaded, Page } from '../../components/Page'
import { ProblemBox } from '../../components/Problem'
import { useListState } from '../../components/table/listState'
import { nameFromEntry } from '../images/names'
import { Access } from './Access'
import { cliLine, EMPTY_FORM, proposeName, readForm, type LaunchForm, type Wrong } from './draft'
import { Fit } from './Fit'
import { ImageCards } from './ImageCards'
import { machineFields } from './machine'
import { More } from './More'
import { NameAndSize } from './NameAndSize'
import { Networking } from './Networking'
import { Summary } from './Summary'

export interface PartProps {
  form: LaunchForm
  set: (change: Partial<LaunchForm>) => void
  wrong: Wrong
}

export function LaunchPage() {
  const project = useProject()
  const query = useList('image', project)
  const catalogue = useQuery(catalogueQuery)
  return (
    <Page title="Launch a VM">
      <Loaded query={query}>
        {(list) => {
          const images = list.items.filter((image) => image.status.state === 'ready' || image.status.state === 'importing')
          const there = images.map((image) => image.meta.name)
          const published = catalogue.data?.items.filter((entry) => !there.includes(nameFromEntry(entry.name)))
          // A catalogue that is slow or cannot be read keeps nobody from the images that are there.
          return <LaunchForm project={project} images={images} published={published ?? []} pending={catalogue.isPending} />
        }}
      </Loaded>
    </Page>
  )
}

/** Whether launching from an image makes a root disk. */
export function bringsDisk(image: Image | undefined): boolean {
  const content = image?.status.content
  return content ? content.kind === 'disk' || content.virtual_size > 0 : false
}

interface FormProps {
  project: string
  images: Image[]
  published: CatalogueEntry[]
  /** The catalogue has not answered yet. */
  pending: boolean
}

function LaunchForm({ project, images, published, pending }: FormProps) {
  const navigate = useNavigate()
  const vms = useList('vm', project).data?.items ?? []
  const { image: asked } = useListState()
  const taken = vms.map((vm) => vm.meta.name)
  const ready = images.filter((image) => image.status.state === 'ready').map((image) => image.meta.name)
  const choices = [...ready, ...published.map((entry) => entry.name)]
  const from = (name: string) => ({ image: name, ...machineFields(images.find((each) => each.meta.name === name)) })
  const known = (name: string) => choices.includes(name) || (pending && name.includes('/'))
  const { form, change, changed, drop } = useForm(project, known, asked, () => ({
    ...EMPTY_FORM, ...from(known(asked) ? asked : (ready[0] ?? '')),
  }))
  const [shown, setShown] = useState(false)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem>()
  const key = useRef('')

  const filled = { ...form, name: form.name || proposeName(form.image, taken) }
  const image = images.find((each) => each.meta.name === form.image)
  const iso = image?.status.content?.kind === 'iso'
  // What the catalogue publishes are disks.
  const hasDisk = form.empty || iso || (bringsDisk(image) && !form.whole) || form.image.includes('/')
  const { draft, wrong } = readForm(filled, hasDisk, iso)
  const set = (part: Partial<LaunchForm>) => {
    key.current = ''
    setProblem(undefined)
    change(part)
  }
  const submit = async () => {
    setShown(true)
    if (Object.keys(wrong).length > 0) return
    setBusy(true)
    // The same key until something changes: a launch whose answer was lost is not done twice.
    key.current ||= crypto.randomUUID()
    try {
      const vm = await createVm(project, draft, key.current)
      drop()
      await navigate({ to: '/p/$project/vms/$name', params: { project, name: vm.meta.name } })
    } catch (error) {
      setProblem(asProblem(error))
      setBusy(false)
    }
  }
  const told = { ...(shown ? wrong : {}), ...byField(problem) }
  const part: PartProps = { form: filled, set, wrong: told }
  return (
    <form
      className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]" noValidate
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <div className="space-y-6">
        <ImageCards
          images={images} published={published} pending={pending} chosen={form.image} empty={form.empty}
          onChoose={(name) => set({ ...from(name), empty: false })} onEmpty={() => set({ ...from(''), empty: true })}
        />
        <NameAndSize {...part} name={form.name} hasDisk={hasDisk} />
        {!form.empty && !iso && <Access {...part} />}
        <Networking {...part} project={project} />
        <More {...part} iso={iso} />
      </div>
      <aside className="panel sticky top-4 space-y-4 p-4" aria-label="Summary">
        <Summary form={filled} image={image} hasDisk={hasDisk} />
        <Fit form={filled} />
        {problem && <ProblemBox error={problem} compact />}
        {shown && Object.keys(wrong).length > 0 && <p className="text-bad" role="alert">{Object.values(wrong)[0]}</p>}
        <button type="submit" className="btn btn-primary h-9 w-full" disabled={busy}>
          {busy ? 'Launching …' : `Launch ${filled.name}`}
        </button>
        {changed && (
          <button
            type="button" className="btn btn-quiet w-full"
            onClick={() => {
              setProblem(undefined)
              setShown(false)
              drop()
            }}
          >
            Start over
          </button>
        )}
        <div>
          <h2 className="mb-1 text-dim">The same from the command line</h2>
          <CommandLine text={cliLine(filled, hasDisk, iso)} stacked />
        </div>
      </aside>
    </form>
  )
}

/** What was filled in, kept in this tab until it is sent; the password is not. */
function useForm(project: string, known: (image: string) => boolean, asked: string, fresh: () => LaunchForm) {
  const [kept, keep] = useDraft<LaunchForm>(`launch.${project}`)
  const [form, setForm] = useState<LaunchForm>(() => {
    if (!kept) return fresh()
    // An image may have gone since; one that a link names comes before what was chosen.
    const { image, empty } = asked || !(kept.empty || known(kept.image)) ? fresh() : kept
    return { ...EMPTY_FORM, ...kept, image, empty }
  })
  const change = (part: Partial<LaunchForm>) => {
    const next = { ...form, ...part }
    setForm(next)
    keep({ ...next, password: '' })
  }
  const drop = () => {
    setForm(fresh())
    keep(undefined)
  }
  return { form, change, changed: kept !== undefined, drop }
}

function byField(problem: Problem | undefined): Wrong {
  return problem?.field ? { [problem.field]: problem.message } : {}
}
