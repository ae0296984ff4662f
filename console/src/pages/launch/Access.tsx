// How one will get into the new guest: key, password, or cloud-init of one's own.
import { TextArea, TextField } from '../../components/Field'
import { useStored } from '../../components/hooks'
import type { PartProps } from './LaunchPage'
import { useEffect, useRef } from 'react'

export function Access({ form, set, wrong }: PartProps) {
  // A public key is no secret: the next launch from this browser begins with it.
  const [kept, keep] = useStored('ssh-key', '')
  const begun = useRef(false)
  useEffect(() => {
    if (begun.current) return
    begun.current = true
    if (kept && !form.sshKey) set({ sshKey: kept })
  }, [kept, form.sshKey, set])
  return (
    <section className="space-y-4">
      <h2 className="text-base font-semibold">Access</h2>
      <TextArea
        label="SSH public keys" rows={2} value={form.sshKey} error={wrong['spec.cloud_init.ssh_keys']} placeholder="ssh-ed25519 AAAA… you@host"
        hint="One a line, for the image’s default user; kept in this browser"
        onChange={(event) => {
          set({ sshKey: event.target.value })
          keep(event.target.value)
        }}
      />
      <div className="max-w-sm">
        <TextField
          label="Password" type="password" autoComplete="new-password" value={form.password} error={wrong['spec.cloud_init.password']}
          hint="For the serial console; stored sealed, never shown again" onChange={(event) => set({ password: event.target.value })}
        />
      </div>
      <details>
        <summary className="font-medium">Cloud-init user data{form.userData && ' ●'}</summary>
        <div className="mt-2">
          <TextArea
            label="User data" rows={8} value={form.userData} error={wrong['spec.cloud_init.user_data']} placeholder={'#cloud-config\npackages:\n  - nginx'}
            hint="Wins over key and password where both speak of the same thing" onChange={(event) => set({ userData: event.target.value })}
          />
        </div>
      </details>
    </section>
  )
}
