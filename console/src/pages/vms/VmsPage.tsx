// The list of VMs.
import { Link } from '@tanstack/react-router'
import { useQueryClient } from '@tanstack/react-query'
import { FileInput } from 'lucide-react'
import { lazy, Suspense, useState } from 'react'
import { keys as cacheKeys } from '../../api/cache'
import type { Listing } from '../../api/changes'
import { useList } from '../../api/queries'
import type { Vm } from '../../api/types'
import { useProject } from '../../app/project'
import { CommandLine } from '../../components/Copy'
import { Empty } from '../../components/Page'
import { verbsFor } from '../../components/state'
import { ListPage } from '../../components/table/ListPage'
import { runVerb } from './actions'
import { VM_COLUMNS, vmSignature, vmTexts } from './columns'
import { VmBulk } from './VmBulk'

const ImportVm = lazy(() => import('./ImportVm').then((module) => ({ default: module.ImportVm })))

const STATES = ['running', 'stopped', 'paused', 'failed', 'pending']

export function VmsPage() {
  const project = useProject()
  const cache = useQueryClient()
  const query = useList('vm', project)
  const [importing, setImporting] = useState(false)
  const launch = (
    <Link to="/p/$project/launch" params={{ project }} className="btn btn-primary">
      Launch the first one
    </Link>
  )
  const start = (row: Vm) => {
    const list = cache.getQueryData<Listing<Vm>>(cacheKeys.list('vm', project))
    const vm = list?.items.find((each) => each.meta.uid === row.meta.uid)
    if (vm && verbsFor(vm).start) void runVerb([vm], 'start')
  }
  return (
    <>
      <ListPage
        title="VMs" id="vms" query={query} columns={VM_COLUMNS} texts={vmTexts} signature={vmSignature}
        href={(vm) => `/p/${project}/vms/${vm.meta.name}`}
        keys={{ s: start }}
        actions={
          <button type="button" className="btn" onClick={() => setImporting(true)}>
            <FileInput size={14} aria-hidden="true" /> Import a VM …
          </button>
        }
        where={(vm, state) => !state.state || vm.status.state === state.state}
        toolbar={(state) => (
          <select className="input w-auto" aria-label="Filter by state" value={state.state} onChange={(event) => state.set({ state: event.target.value })}>
            <option value="">Any state</option>
            {STATES.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
        bulk={(vms, clear) => <VmBulk vms={vms} onDone={clear} />}
        empty={<Empty text="No VMs yet." action={launch} command={<CommandLine text="novacron launch micro hello" />} />}
      />
      {importing && (
        <Suspense>
          <ImportVm project={project} onClose={() => setImporting(false)} />
        </Suspense>
      )}
    </>
  )
}
