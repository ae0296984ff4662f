// Sending an image's content from this machine.
import { asProblem, readProblemText, type Problem } from './client'
import { fetchObject } from './cache'
import { objectPath } from './kinds'

const PATIENCE_MS = 30_000
const RETRY_MS = 200

/** A new image gets its node a moment after it was made; only then its content can be sent. */
export async function uploadImage(
  project: string, name: string, file: Blob, progress: (sent: number) => void,
): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  while (!(await fetchObject('image', project, name)).status.location && Date.now() < deadline) await pause()
  for (;;) {
    try {
      await put(`${objectPath('image', project, name)}/content`, file, progress)
      return
    } catch (error) {
      if (asProblem(error).code !== 'unavailable' || Date.now() > deadline) throw error
      await pause()
    }
  }
}

/** One request that tells how far it has come; `fetch` cannot. */
function put(path: string, file: Blob, progress: (sent: number) => void): Promise<void> {
  return new Promise((resolve, reject: (problem: Problem) => void) => {
    const upload = new XMLHttpRequest()
    upload.open('PUT', path)
    upload.setRequestHeader('content-type', 'application/octet-stream')
    upload.upload.onprogress = (event) => progress(event.loaded)
    upload.onload = () => {
      if (upload.status < 300) resolve()
      else reject(readProblemText(upload.status, upload.responseText))
    }
    upload.onerror = () => reject(asProblem(new Error('The connection broke before all bytes had arrived')))
    upload.send(file)
  })
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, RETRY_MS))
}
