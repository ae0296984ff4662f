// A whole VM from the file of an export: the file becomes an image, and the VM is made of what the image tells.
import { createImage, createVm } from '../../api/actions'
import { fetchList, fetchObject } from '../../api/cache'
import { asProblem, Problem } from '../../api/client'
import type { Image, Vm } from '../../api/types'
import { formerUpload, type Sending } from '../../api/upload'
import { sendImage } from '../images/sendImage'

/** What is left out of the draft the server takes from the image's machine. `key`: the same again makes no second VM. */
export function makeVm(project: string, image: string, name: string, start: boolean, key: string): Promise<Vm> {
  return createVm(project, { meta: { name }, spec: { image, run: start ? 'running' : 'stopped' } }, key)
}

/** An image that a node fetches and that holds a VM. */
export async function fetchVm(project: string, image: string, url: string, signal: AbortSignal): Promise<Image> {
  await createImage(project, { meta: { name: image }, spec: { source: { url } } })
  return holdingVm(await untilReady(project, image, signal), url)
}

/** The file as an image that is ready and holds a VM. One that a former try has made is taken. */
export async function bringVm(project: string, image: string, file: File, tell: (sending: Sending) => void, signal: AbortSignal): Promise<Image> {
  try {
    await sendImage(project, image, file, {}, tell, signal)
  } catch (error) {
    if (asProblem(error).code !== 'conflict' || (await formerUpload(project, image, file, undefined)) !== 'ready') throw error
  }
  return holdingVm(await untilReady(project, image, signal), file.name)
}

function holdingVm(image: Image, source: string): Image {
  if (image.status.content?.machine) return image
  const message = `${source} holds no VM; it is image "${image.meta.name}" now`
  throw new Problem({ status: 0, code: 'invalid', message, hint: 'launch a VM from it on the Launch page, or delete it' })
}

const LOOK_MS = 500

async function untilReady(project: string, name: string, signal: AbortSignal): Promise<Image> {
  for (;;) {
    const image = await fetchObject('image', project, name, signal).catch((error: unknown) => {
      if (asProblem(error).status === 404) return undefined
      throw error
    })
    const state = image?.status.state
    if (image && state === 'ready') return image
    // What failed goes at once, unless somebody waits for it.
    if (state !== 'importing') throw await whyFailed(project, name, image, signal)
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    signal.throwIfAborted()
  }
}

/** The newest import of this name tells it also when the image is gone. */
async function whyFailed(project: string, name: string, image: Image | undefined, signal: AbortSignal): Promise<Problem> {
  const { items } = await fetchList('task', project, signal)
  const task = items.find(({ spec }) => spec.action === 'import' && spec.target.name === name)
  const error = task?.status.outcome?.error ?? image?.status.content?.error
  return new Problem({ status: 0, code: error?.code ?? 'failed', message: error?.message ?? `Image ${name} was deleted`, hint: error?.hint ?? undefined })
}
