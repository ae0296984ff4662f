// Free text about a VM.
import type { Vm } from '../../api/types'
import { TextArea } from '../../components/Field'
import { errorAt } from '../../components/FormDialog'
import { Section } from './hardware/Section'

export function Notes({ vm }: { vm: Vm }) {
  return (
    <Section
      title="Notes" vm={vm} begin={({ spec }) => ({ notes: spec.notes })} read={(form: { notes: string }) => ({ spec: form })}
      fields={({ form, set, problem }) => (
        <TextArea label="Text" rows={6} value={form.notes} error={errorAt(problem, 'spec.notes')} onChange={(event) => set({ notes: event.target.value })} />
      )}
    >
      <p className={`whitespace-pre-wrap wrap-anywhere ${vm.spec.notes ? '' : 'text-dim'}`}>{vm.spec.notes || 'None.'}</p>
    </Section>
  )
}
