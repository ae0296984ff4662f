// Proposes an image's name from a file name or URL. Pure.

const ENDINGS = /(\.(qcow2|raw|img|iso|vmdk|vhdx|tar|gz|xz|zst))+$/i

export function nameFromFile(path: string): string {
  const file = path.split(/[?#]/)[0]?.split('/').pop() ?? ''
  const label = file.replace(ENDINGS, '').toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return label.replace(/^-+/, '').slice(0, 63).replace(/-+$/, '')
}

/** The name of the image that an entry of the catalogue becomes: `ubuntu/24.04` is `ubuntu-24-04`. */
export function nameFromEntry(entry: string): string {
  return entry.replace(/[^A-Za-z0-9]/g, '-').replace(/^-+|-+$/g, '')
}
