// What a node's daemon has logged since its start.
import { objectPath } from '../../api/kinds'
import type { Node } from '../../api/types'
import { LogView } from '../../components/log/LogView'

export function NodeLogs({ node }: { node: Node }) {
  const { name } = node.meta
  return <LogView object={objectPath('node', '', name)} name={name} command={`novacron node logs ${name} --follow`} />
}
