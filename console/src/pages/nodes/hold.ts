// Whether a node's guests are to be down, whatever their VMs ask for. Pure; the same answer as the server's.
import type { Node } from '../../api/types'

export type Hold = NonNullable<Node['status']['hold']>

/** The hold in force: it ends with the boot of the host that it is for, or when guests may start again. */
export function holdOf({ status }: Node): Hold | undefined {
  const { hold, report } = status
  return hold && !hold.released && hold.boot_id === report?.boot_id ? hold : undefined
}
