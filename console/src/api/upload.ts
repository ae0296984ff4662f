// Sending an image's content from this machine. When the connection breaks, the server tells how
// much has arrived, and the rest follows.
import { fetchObject } from './cache'
import { asProblem, Problem, readProblemText, request } from './client'
import { objectPath } from './kinds'
import type { Image } from './types'

/** How long it is tried again without a new byte arriving. */
const PATIENCE_MS = 120_000
const RETRY_MS = 250
const RETRY_MAX_MS = 4000

export interface Sending {
  /** Bytes of the file that have left. */
  sent: number
  /** Why it stands still for now. */
  broken?: string
}

/** Sends what has not arrived yet; returns once all has. */
export async function uploadImage(
  project: string, name: string, file: Blob, tell: (sending: Sending) => void, signal: AbortSignal,
): Promise<void> {
  const path = `${objectPath('image', project, name)}/content`
  let furthest = -1
  // Runs from the first break after which no new byte has arrived.
  let deadline: number | undefined
  let pause = RETRY_MS
  for (;;) {
    let offset = Math.max(furthest, 0)
    try {
      offset = (await request<{ offset: number }>('GET', path, { signal })).offset
      if (offset > furthest) {
        furthest = offset
        deadline = undefined
        pause = RETRY_MS
      }
      if (await put(path, file, offset, (sent) => tell({ sent }), signal)) return
    } catch (error) {
      signal.throwIfAborted()
      const problem = asProblem(error)
      deadline ??= Date.now() + PATIENCE_MS
      if (!passes(problem) || Date.now() > deadline) throw problem
      tell({ sent: offset, broken: problem.message })
      await new Promise((resolve) => setTimeout(resolve, pause))
      pause = Math.min(pause * 2, RETRY_MAX_MS)
    }
  }
}

/** The annotation that tells which file an image is made of, so that no other one goes on with it. */
export const FILE_ANNOTATION = 'upload-file'

export function fingerprint({ name, size, lastModified }: File): string {
  return `${name} ${size} ${lastModified}`
}

/** The state of the image that a former try made of this very file, with this checksum; nothing for another's. */
export async function formerUpload(project: string, name: string, file: File, sha256: string | undefined): Promise<Image['status']['state'] | undefined> {
  const { meta, spec, status } = await fetchObject('image', project, name)
  const same = meta.annotations?.[FILE_ANNOTATION] === fingerprint(file) && (spec.sha256 ?? undefined) === sha256
  return same && 'upload' in spec.source ? status.state : undefined
}

/** Whether another try may help: nobody answers, not now, or the rest begins elsewhere by now. */
export function passes(problem: Problem): boolean {
  const { code, field, status } = problem
  return code === 'unavailable' || code === 'unreachable' || field === 'Upload-Offset' || (code.startsWith('http_') && status >= 500)
}

/** One request that tells how far it has come, which `fetch` cannot. Answers whether all is there. */
function put(path: string, file: Blob, offset: number, progress: (sent: number) => void, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject: (problem: Problem) => void) => {
    const upload = new XMLHttpRequest()
    const broken = () => reject(new Problem({ status: 0, code: 'unreachable', message: 'The connection broke' }))
    upload.open('PUT', path)
    upload.setRequestHeader('content-type', 'application/octet-stream')
    upload.setRequestHeader('upload-offset', String(offset))
    upload.setRequestHeader('upload-length', String(file.size))
    upload.upload.onprogress = (event) => progress(offset + event.loaded)
    upload.onload = () => {
      if (upload.status < 300) resolve(upload.status === 202)
      else reject(readProblemText(upload.status, upload.responseText))
    }
    upload.onerror = broken
    upload.onabort = broken
    signal.addEventListener('abort', () => upload.abort(), { once: true })
    upload.send(file.slice(offset))
  })
}
