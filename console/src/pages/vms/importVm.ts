// A whole VM from the file of an export: the file becomes an image, and the VM is made of what the image tells.
import { createVm } from '../../api/actions'
import { fetchObject } from '../../api/cache'
import { asProblem, Problem } from '../../api/client'
import type { Image, Vm } from '../../api/types'
import { formerUpload, type Sending } from '../../api/upload'
import { sendImage } from '../images/sendImage'

/** What is left out of the draft the server takes from the image's machine. `key`: the same again makes no second VM. */
export function makeVm(project: string, image: string, name: string, start: boolean, key: string): Promise<Vm> {
  return createVm(project, { meta: { name }, spec: { image, run: start ? 'running' : 'stopped' } }, key)
}

/** The file as an image that is ready and holds a VM. One that a former try has made is taken. */
export async function bringVm(project: string, image: string, file: File, tell: (sending: Sending) => void, signal: AbortSignal): Promise<Image> {
  try {
    await sendImage(project, image, file, {}, tell, signal)
  } catch (error) {
    if (asProblem(error).code !== 'conflict' || (await formerUpload(project, image, file, undefined)) !== 'ready') throw error
  }
  const ready = await untilReady(project, image, signal)
  if (ready.status.content?.machine) return ready
  throw new Problem({
    status: 0, code: 'invalid', message: `${file.name} holds no VM; it is image "${image}" now`, hint: 'launch a VM from it on the Launch page, or delete it',
  })
}

const LOOK_MS = 500

async function untilReady(project: string, name: string, signal: AbortSignal): Promise<Image> {
  for (;;) {
    const image = await fetchObject('image', project, name, signal)
    const { state, reason, content } = image.status
    if (state === 'ready') return image
    if (state === 'failed') {
      const error = content?.error
      throw new Problem({ status: 0, code: error?.code ?? 'failed', message: error?.message ?? reason ?? 'the import failed', hint: error?.hint ?? undefined })
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    signal.throwIfAborted()
  }
}
