// This browser's choices, and what the cluster is.
import { useQuery } from '@tanstack/react-query'
import { sessionQuery, systemQuery } from '../../api/queries'
import { setTheme, useTheme, type Theme } from '../../app/theme'
import { SelectField } from '../../components/Field'
import { bytes, dateTime } from '../../components/format'
import { Facts, Loaded, Page, Panel } from '../../components/Page'
import { StateBackup } from './StateBackup'

export function SettingsPage() {
  const theme = useTheme()
  const system = useQuery(systemQuery)
  const { data: session } = useQuery(sessionQuery)
  return (
    <Page title="Settings">
      <div className="grid gap-4 lg:grid-cols-2">
        <Panel title="This browser">
          <div className="max-w-60">
            <SelectField
              label="Theme" value={theme} onChange={(event) => setTheme(event.target.value as Theme)}
              options={[{ value: 'system', label: 'As the system' }, { value: 'light', label: 'Light' }, { value: 'dark', label: 'Dark' }]}
            />
          </div>
          <p className="mt-4 text-dim">
            Signed in as {session?.user}
            {session?.expires && ` until ${dateTime(session.expires)}`}.
          </p>
        </Panel>
        <Panel title="NovaCron">
          <Loaded query={system} rows={4}>
            {(facts) => (
              <Facts
                facts={[
                  ['Version', facts.version],
                  ['This node', facts.node],
                  ['Hosts', facts.simulated ? 'simulated' : 'real'],
                  ['Store disk', `${bytes(facts.store_free)} free`],
                  ['API', <a key="api" className="link" href="/v1/openapi.json">OpenAPI document</a>],
                ]}
              />
            )}
          </Loaded>
        </Panel>
        <StateBackup />
      </div>
    </Page>
  )
}
