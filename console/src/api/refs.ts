// Pointing at objects.
import type { KindName, Meta, ObjectRef } from './types'

export function refOf(kind: KindName, object: { meta: Meta }): ObjectRef {
  return { kind, name: object.meta.name, uid: object.meta.uid, project: object.meta.project }
}
