// The switch between projects, with what makes and deletes them.
import { useNavigate } from '@tanstack/react-router'
import { ChevronDown, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { useList } from '../../api/queries'
import { refOf } from '../../api/refs'
import { DeleteDialog } from '../../components/DeleteDialog'
import { Menu } from '../../components/Menu'
import { CreateProject } from './CreateProject'

/** It is always there. */
const FIRST = 'default'

export function ProjectSwitch({ project }: { project: string }) {
  const navigate = useNavigate()
  const [over, setOver] = useState<'create' | 'delete'>()
  const projects = useList('project', '').data?.items ?? []
  const names = projects.map((each) => each.meta.name).sort()
  const current = projects.find((each) => each.meta.name === project)
  const go = (name: string) => void navigate({ to: '/p/$project', params: { project: name } })
  const close = () => setOver(undefined)
  return (
    <>
      <Menu
        label={`Project ${project}`} className="btn btn-quiet min-w-0 shrink"
        button={
          <>
            <span className="max-w-32 truncate">{project}</span>
            <ChevronDown size={14} className="text-dim" aria-hidden="true" />
          </>
        }
        items={[
          ...(names.length > 0 ? names : [project]).map((name) => ({ label: name, checked: name === project, onSelect: () => go(name) })),
          { label: 'Create a project …', icon: <Plus size={14} />, onSelect: () => setOver('create') },
          ...(current && project !== FIRST ? [{ label: `Delete ${project} …`, icon: <Trash2 size={14} />, danger: true, onSelect: () => setOver('delete') }] : []),
        ]}
      />
      {over === 'create' && <CreateProject onClose={close} />}
      {over === 'delete' && current && <DeleteDialog targets={[refOf('project', current)]} onClose={close} onDone={() => go(FIRST)} />}
    </>
  )
}
