// What happens when a guest ends by itself.
import type { RestartPolicy, Vm } from '../../../api/types'
import { SelectField } from '../../../components/Field'
import { errorAt } from '../../../components/FormDialog'
import { Facts } from '../../../components/Page'
import { RESTARTS } from '../../launch/More'
import { Section, type FormProps } from './Section'

interface RestartForm {
  restart: RestartPolicy
}

export function Restart({ vm }: { vm: Vm }) {
  const now = RESTARTS.find((each) => each.value === vm.spec.restart)
  return (
    <Section
      title="Restart" vm={vm} begin={({ spec }) => ({ restart: spec.restart })} read={(form) => ({ spec: form })}
      fields={(props) => <Fields {...props} />}
    >
      <Facts facts={[['Start again', now?.label ?? vm.spec.restart]]} />
    </Section>
  )
}

function Fields({ form, set, problem }: FormProps<RestartForm>) {
  return (
    <SelectField
      label="Start again" value={form.restart} options={RESTARTS} error={errorAt(problem, 'spec.restart')}
      onChange={(event) => set({ restart: event.target.value as RestartPolicy })}
    />
  )
}
