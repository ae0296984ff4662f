// What can be asked of a node's guests as a whole.
import { startGuests } from '../../api/actions'
import type { Node } from '../../api/types'
import { notify, notifyError } from '../../components/notices'

export async function letStart(node: Node): Promise<void> {
  const { name } = node.meta
  try {
    await startGuests(node)
    notify({ tone: 'ok', title: `${name} starts its guests` })
  } catch (error) {
    notifyError(`Cannot start the guests of ${name}`, error)
  }
}
