// The launch form's contents, and what becomes of them: the API's draft and the same command line.
// Pure; the page draws it.
import type { CloudInit, Firmware, PortForward, Preset, RestartPolicy, VmDraft, VmSpec } from '../../api/types'
import { bytesFlag, parseBytes } from '../../components/format'

export interface LaunchForm {
  /** Its name, or an entry of the catalogue such as `debian/12`. */
  image: string
  /** The image is of a whole VM: what is as usual has to be said, too. */
  whole: boolean
  /** No image: it starts with an empty disk, or with none. */
  empty: boolean
  name: string
  size: string
  cpus: string
  memory: string
  disk: string
  sshKey: string
  password: string
  userData: string
  network: string
  ports: string
  pool: string
  restart: RestartPolicy
  preset: Preset
  firmware: Firmware
  tpm: boolean
  /** Which drive is tried first; nothing for the usual order, disks before CD-ROMs. */
  boot: '' | 'cdrom'
  labels: string
}

export interface Size {
  id: string
  cpus: number
  memory: string
  disk: string
}

export const SIZES: Size[] = [
  { id: 'S', cpus: 1, memory: '1GiB', disk: '10GiB' },
  { id: 'M', cpus: 2, memory: '2GiB', disk: '20GiB' },
  { id: 'L', cpus: 4, memory: '8GiB', disk: '40GiB' },
]

export const EMPTY_FORM: LaunchForm = {
  image: '', whole: false, empty: false, name: '', size: 'M', cpus: '2', memory: '2GiB', disk: '20GiB', sshKey: '', password: '', userData: '',
  network: '', ports: '', pool: '', restart: 'on_failure', preset: 'linux', firmware: 'bios', tpm: false, boot: '', labels: '',
}

/** What is wrong, by the API's name of the field. */
export type Wrong = Partial<Record<string, string>>

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

/**
 * `hasDisk`: a root disk is made, because the image comes with one or because there is no image. `iso`:
 * the image goes into a CD-ROM drive, beside an empty disk.
 */
export function readForm(form: LaunchForm, hasDisk: boolean, iso = false): { draft: VmDraft; wrong: Wrong } {
  const wrong: Wrong = {}
  if (!form.image && !form.empty) wrong['spec.image'] = 'Choose an image'
  if (!NAME.test(form.name)) wrong['meta.name'] = 'Use 1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit'
  const cpus = Number(form.cpus)
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > 1024) wrong['spec.cpus'] = 'A whole number from 1 to 1024'
  const memory = parseBytes(form.memory, 'GiB')
  if (!memory) wrong['spec.memory'] = 'Write a size, such as 512MiB or 4GiB'
  const size = hasDisk && form.disk.trim() ? parseBytes(form.disk, 'GiB') : undefined
  if (hasDisk && form.disk.trim() && !size) wrong['spec.disks'] = 'Write a size, such as 20GiB'
  const ports = readPorts(form.ports)
  if (typeof ports === 'string') wrong['spec.nics'] = ports
  const labels = readLabelPairs(form.labels)
  if (!labels) wrong['meta.labels'] = 'Write key=value, separated by spaces'
  const keys = form.sshKey.split('\n').map((line) => line.trim()).filter(Boolean)
  if (!form.empty && !iso && !keys.every((key) => /^(ssh-|ecdsa-|sk-)\S+ \S+/.test(key))) wrong['spec.cloud_init.ssh_keys'] = 'A public key begins with ssh-ed25519, ssh-rsa or ecdsa-…'

  const spec: VmSpec = { run: 'running', image: iso ? undefined : form.image || undefined, cpus, memory, restart: form.restart }
  if (form.whole || form.preset !== 'linux') spec.preset = form.preset
  if (form.whole || form.firmware !== 'bios') spec.firmware = form.firmware
  if (form.whole || form.tpm) spec.tpm = form.tpm
  const order = bootOrder(form, hasDisk, iso)
  if (order.length > 0) spec.boot = order
  if (iso) spec.cdroms = [{ name: 'cd0', image: form.image }]
  if (size || (hasDisk && form.pool && !form.empty)) spec.disks = [{ name: 'root', size, pool: form.pool || undefined }]
  if (form.network || (Array.isArray(ports) && ports.length > 0))
    spec.nics = [{ network: form.network || undefined, ports: Array.isArray(ports) ? ports : [] }]
  const cloud = form.empty || iso ? {} : cloudInit(form, keys)
  if (Object.keys(cloud).length > 0) spec.cloud_init = cloud
  const meta: VmDraft['meta'] = { name: form.name }
  if (labels && Object.keys(labels).length > 0) meta.labels = labels
  return { draft: { meta, spec }, wrong }
}

/** Only where there are two drives to order, and not in the usual order. */
function bootOrder(form: LaunchForm, hasDisk: boolean, iso: boolean): string[] {
  return iso && hasDisk && form.disk.trim() && form.boot === 'cdrom' ? ['cd0', 'root'] : []
}

function cloudInit(form: LaunchForm, keys: string[]): CloudInit {
  const cloud: CloudInit = {}
  if (keys.length > 0) cloud.ssh_keys = keys
  if (form.password) cloud.password = form.password
  if (form.userData.trim()) cloud.user_data = form.userData
  return cloud
}

/** `[ADDR:]HOST:GUEST[/udp]`, separated by spaces or commas; or a sentence about what is wrong. */
export function readPorts(text: string): PortForward[] | string {
  const ports: PortForward[] = []
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const match = /^(?:(\[[0-9a-f:.]+\]|[0-9.]+):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/i.exec(word)
    const host = Number(match?.[2])
    const guest = Number(match?.[3])
    if (!match || !isPort(host) || !isPort(guest)) return `“${word}” is not a port forward; write HOST:GUEST, such as 8080:80`
    const port: PortForward = { host, guest, protocol: match[4]?.toLowerCase() === 'udp' ? 'udp' : 'tcp' }
    if (match[1]) port.address = match[1].replace(/[[\]]/g, '')
    ports.push(port)
  }
  return ports
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65535
}

function readLabelPairs(text: string): Record<string, string> | undefined {
  const words = text.split(/[\s,]+/).filter(Boolean)
  const pairs = words.map((word) => /^([A-Za-z0-9\-_./]+)=([A-Za-z0-9\-_.]*)$/.exec(word))
  if (!pairs.every((pair) => pair !== null)) return undefined
  return Object.fromEntries(pairs.map((pair) => [pair[1] ?? '', pair[2] ?? '']))
}

/** The command that does the same. What would stand in a file or be secret is shown as such. */
export function cliLine(form: LaunchForm, hasDisk: boolean, iso = false): string {
  const name = quoted(form.name || 'NAME')
  const bare = form.empty || iso
  const parts = bare ? ['novacron', 'vm', 'create', name] : ['novacron', 'launch', quoted(form.image || 'IMAGE'), name]
  const flag = (name: string, value: string) => parts.push(name, quoted(value))
  flag('--cpus', form.cpus || '2')
  flag('--memory', sizeFlag(form.memory))
  if (iso) flag('--iso', form.image)
  if (hasDisk && form.disk.trim()) flag('--disk', sizeFlag(form.disk))
  for (const port of form.ports.split(/[\s,]+/).filter(Boolean)) flag('--port', port)
  if (form.network) flag('--network', form.network)
  if (form.pool && !(form.empty && !form.disk.trim())) flag('--pool', form.pool)
  if (form.whole || form.restart !== 'on_failure') flag('--restart', form.restart.replace('_', '-'))
  if (form.whole || form.preset !== 'linux') flag('--preset', form.preset)
  if (form.whole || form.firmware !== 'bios') flag('--firmware', form.firmware.replace('_', '-'))
  if (form.whole || form.tpm) parts.push(`--tpm=${form.tpm}`)
  const order = bootOrder(form, hasDisk, iso)
  if (order.length > 0) flag('--boot', order.join(','))
  for (const label of form.labels.split(/[\s,]+/).filter(Boolean)) flag('--label', label)
  // Without an image nobody reads a key, and `create` does not start.
  if (bare) return `${parts.join(' ')} && novacron start ${name}`
  if (form.sshKey.trim()) flag('--ssh-key', 'KEY.pub')
  parts.push('--no-ssh-key')
  if (form.password) parts.push('--password-stdin')
  if (form.userData.trim()) flag('--cloud-init', 'USER-DATA.yaml')
  return parts.join(' ')
}

function sizeFlag(text: string): string {
  const count = parseBytes(text, 'GiB')
  return count ? bytesFlag(count) : text.trim() || 'SIZE'
}

function quoted(text: string): string {
  return /^[A-Za-z0-9@%+=:,./_[\]-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** `debian-1`, `debian-2` …: the first that is free. */
export function proposeName(image: string, taken: readonly string[]): string {
  const base = image.split(/[-/]/)[0] || 'vm'
  for (let n = 1; ; n++) if (!taken.includes(`${base}-${n}`)) return `${base}-${n}`
}
