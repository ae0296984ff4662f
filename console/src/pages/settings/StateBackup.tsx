// The whole state as one file, through the browser's downloads.
import { Download } from 'lucide-react'
import { CommandLine } from '../../components/Copy'
import { Panel } from '../../components/Page'
import { BACKUP_PATH } from './backUpState'

export function StateBackup() {
  return (
    <Panel title="Backup of the state" className="lg:col-span-2">
      <div className="space-y-3">
        <p className="text-dim">
          All that NovaCron knows, as one file, with the key that opens its secrets: keep it safe. What is on the disks of VMs is not in it. The way back is <code className="font-mono text-[13px]">novacron state restore FILE</code>, while the daemon does not run.
        </p>
        <a className="btn" href={BACKUP_PATH} download="">
          <Download size={14} aria-hidden="true" /> Back the state up
        </a>
        <CommandLine text="novacron state backup novacron-state.backup" />
      </div>
    </Panel>
  )
}
