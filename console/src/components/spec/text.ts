// An object as text that people edit, and back: what may be changed, as YAML. Pure.
import { dump, JSON_SCHEMA, load, YAMLException } from 'js-yaml'
import type { AnyObject } from '../../api/types'
import { isRecord, type Json } from './patch'

/** The same part of the object as `novacron edit` opens. */
export function editable(object: AnyObject): Json {
  const { labels = {}, annotations = {} } = object.meta
  return { meta: { labels, annotations }, spec: object.spec as Json }
}

export function toText(value: Json): string {
  return dump(value, { schema: JSON_SCHEMA, lineWidth: 100, noRefs: true, quotingType: '"' })
}

export type Read = { ok: true; value: Json } | { ok: false; message: string }

/** The text's value, or a sentence about where it is not what it should be. */
export function readText(text: string): Read {
  try {
    const value = load(text, { schema: JSON_SCHEMA })
    if (!isRecord(value)) return { ok: false, message: 'Write two parts: meta and spec' }
    const strange = Object.keys(value).find((key) => key !== 'meta' && key !== 'spec')
    if (strange !== undefined) return { ok: false, message: `“${strange}” is neither meta nor spec` }
    for (const part of ['meta', 'spec']) if (!isRecord(value[part])) return { ok: false, message: `${part} is missing, or not a map` }
    return { ok: true, value: value as Json }
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    const line = error.mark ? `Line ${error.mark.line + 1}: ` : ''
    return { ok: false, message: `${line}${error.reason}` }
  }
}
