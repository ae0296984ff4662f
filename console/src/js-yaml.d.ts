// The part of js-yaml that the console uses; the package brings no types.
declare module 'js-yaml' {
  export class YAMLException extends Error {
    reason: string
    mark?: { line: number; column: number }
  }
  export interface Schema {
    readonly name?: string
  }
  export const JSON_SCHEMA: Schema
  export function load(text: string, options?: { schema?: Schema }): unknown
  export function dump(value: unknown, options?: { schema?: Schema; lineWidth?: number; noRefs?: boolean; quotingType?: '"' | "'" }): string
}
