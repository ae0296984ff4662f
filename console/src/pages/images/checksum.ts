// Against what an image's content was checked. Pure.
import type { Image } from '../../api/types'

/**
 * Nothing for content that nobody vouched for. A node takes an image of the catalogue only as its publisher's
 * checksum wants it, which may be of another kind than the SHA-256 that the image then shows.
 */
export function checkedAgainst({ spec, status }: Image): string | undefined {
  if (status.state !== 'ready' || !status.content?.sha256) return undefined
  if (spec.sha256 === status.content.sha256) return 'As demanded'
  if ('catalogue' in spec.source) return 'As its publisher’s checksum wants it'
  return undefined
}
