// Makes an image of a file of this machine: begun anew, or gone on with where a former try stopped.
import { createImage } from '../../api/actions'
import { asProblem } from '../../api/client'
import { FILE_ANNOTATION, fingerprint, formerUpload, uploadImage, type Sending } from '../../api/upload'

interface About {
  os?: string
  sha256?: string
}

/** Returns once all has arrived. An image of this name that waits for the same file is a former try's. */
export async function sendImage(
  project: string, name: string, file: File, { os = '', sha256 }: About, tell: (sending: Sending) => void, signal: AbortSignal,
): Promise<void> {
  const meta = { name, annotations: { [FILE_ANNOTATION]: fingerprint(file) } }
  try {
    await createImage(project, { meta, spec: { source: { upload: {} }, os, sha256 } })
  } catch (error) {
    if (asProblem(error).code !== 'conflict' || (await formerUpload(project, name, file, sha256)) !== 'importing') throw error
  }
  await uploadImage(project, name, file, tell, signal)
}
