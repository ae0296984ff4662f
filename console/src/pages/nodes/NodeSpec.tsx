// What a node may promise, and its labels, as YAML.
import { patchNode } from '../../api/actions'
import type { Node, NodePatch } from '../../api/types'
import { SpecTab } from '../../components/spec/SpecTab'

export function NodeSpec({ node }: { node: Node }) {
  return <SpecTab kind="node" object={node} command={`novacron node edit ${node.meta.name}`} save={(base, patch) => patchNode(base, patch as NodePatch)} />
}
