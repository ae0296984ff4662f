// Which nodes have room for the VM that is being put together.
import { useList } from '../../api/queries'
import { parseBytes } from '../../components/format'
import { StateMark } from '../../components/StateMark'
import { roomOn } from '../nodes/capacity'
import type { LaunchForm } from './draft'

const NODES_NAMED = 4

export function Fit({ form }: { form: LaunchForm }) {
  const nodes = useList('node', '').data?.items
  const cpus = Number(form.cpus)
  const memory = parseBytes(form.memory, 'GiB')
  if (!nodes || !memory || !Number.isInteger(cpus)) return null
  const answers = nodes.map((node) => ({ name: node.meta.name, lacks: roomOn(node, cpus * 1000, memory) }))
  const fitting = answers.filter((each) => each.lacks === undefined).map((each) => each.name)
  if (fitting.length > 0) {
    const more = fitting.length - NODES_NAMED
    return (
      <p>
        <StateMark state="succeeded" word={`Fits on ${fitting.slice(0, NODES_NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`} />
      </p>
    )
  }
  return (
    <div role="status">
      <StateMark state="warning" word="No node has room; it would wait" />
      <ul className="mt-1 text-dim">
        {answers.slice(0, NODES_NAMED).map((each) => (
          <li key={each.name}>
            {each.name}: {each.lacks}
          </li>
        ))}
      </ul>
    </div>
  )
}
