// One task: what it was asked for, how far it is or how it ended, and its log.
import { useParams } from '@tanstack/react-router'
import { displayKind } from '../../api/kinds'
import { useObject } from '../../api/queries'
import { useProject } from '../../app/project'
import { Loaded, Page, Panel } from '../../components/Page'
import { CancelTask, taskMark } from './parts'
import { TaskDetails } from './TaskDetails'

export function TaskPage() {
  const { name = '' } = useParams({ strict: false })
  const query = useObject('task', useProject(), name)
  const task = query.data
  const title = task ? `${task.spec.action} ${displayKind(task.spec.target.kind)} ${task.spec.target.name}` : `Task ${name}`
  return (
    <Page title={title} extra={task && taskMark(task)} actions={task && <CancelTask task={task} />}>
      <Loaded query={query}>
        {(task) => (
          <Panel title="Task">
            <TaskDetails task={task} />
          </Panel>
        )}
      </Loaded>
    </Page>
  )
}
