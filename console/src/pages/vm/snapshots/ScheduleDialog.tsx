// The form for a VM's schedule of snapshots.
import { useState } from 'react'
import { patchVm } from '../../../api/actions'
import type { Vm } from '../../../api/types'
import { CommandLine } from '../../../components/Copy'
import { TextField } from '../../../components/Field'
import { errorAt, FormDialog } from '../../../components/FormDialog'
import { CADENCES, commandLine, fieldsOf, scheduleOf, wrongField, type Cadence } from './schedule'

const WHEN: Record<Cadence, string> = {
  hourly: 'every hour', daily: 'every day', weekly: 'every Monday', monthly: 'on the first of a month',
}

export function ScheduleDialog({ vm, onClose }: { vm: Vm; onClose: () => void }) {
  const [fields, setFields] = useState(() => fieldsOf(vm.spec.snapshots))
  const schedule = scheduleOf(fields)
  const wrong = wrongField(fields)
  const set = (name: keyof typeof fields, text: string) => setFields({ ...fields, [name]: text })
  return (
    <FormDialog title={`Snapshots of ${vm.meta.name} by schedule`} submit="Save" disabled={wrong !== undefined} onSubmit={() => patchVm(vm, { spec: { snapshots: schedule } })} onClose={onClose}>
      {(problem) => (
        <>
          <p className="text-dim">How many to keep of each kind. When a new one is there, the oldest goes; those that you take yourself stay.</p>
          <div className="grid grid-cols-2 gap-3">
            {CADENCES.map((cadence, index) => (
              <TextField
                key={cadence} label={`Keep ${cadence}`} inputMode="numeric" value={fields[cadence]} placeholder="none" hint={WHEN[cadence]}
                data-autofocus={index === 0 ? '' : undefined}
                error={wrong === cadence ? 'a number up to 1000' : errorAt(problem, `spec.snapshots.${cadence}`)}
                onChange={(event) => set(cadence, event.target.value)}
              />
            ))}
          </div>
          <TextField
            label="At (UTC)" value={fields.at} placeholder="00:00" error={errorAt(problem, 'spec.snapshots.at')}
            hint="Hours and minutes; of hourly ones only the minute counts" onChange={(event) => set('at', event.target.value)}
          />
          <CommandLine text={commandLine(vm.meta.name, schedule)} stacked />
        </>
      )}
    </FormDialog>
  )
}
