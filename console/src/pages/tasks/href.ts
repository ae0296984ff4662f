// The place of an object in the console. Pure.
import { readKind } from '../../api/kinds'
import type { ObjectRef } from '../../api/types'

/** `undefined` for kinds without a page. */
export function refHref(ref: ObjectRef): string | undefined {
  const base = `/p/${ref.project ?? 'default'}`
  switch (readKind(ref.kind)) {
    case 'vm':
      return `${base}/vms/${ref.name}`
    case 'volume':
      return `${base}/volumes?q=${ref.name}`
    case 'image':
      return `${base}/images?q=${ref.name}`
    case 'network':
      return `${base}/networks`
    case 'node':
      return `/nodes/${ref.name}`
    case 'pool':
      return '/pools'
    default:
      return undefined
  }
}
