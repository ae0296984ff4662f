// How one gets into a VM from outside: command lines and addresses. Pure.
import type { PortForward, Vm } from '../../api/types'

export interface ConnectLine {
  what: string
  text: string
}

/** `here` is the host by which the page was reached: a port on all addresses is open there, too. */
export function connectLines(vm: Vm, here: string): ConnectLine[] {
  const ports = (vm.spec.nics ?? []).flatMap((nic) => nic.ports)
  const lines: ConnectLine[] = []
  for (const port of ports) {
    if (port.guest === 22 && port.protocol !== 'udp')
      lines.push({ what: `Port ${port.host} of the host leads to ssh`, text: `ssh -p ${port.host} ${userOf(vm)}@${hostOf(port, here)}` })
    else if ([80, 8080, 3000, 8000].includes(port.guest) && port.protocol !== 'udp')
      lines.push({ what: `Port ${port.host} of the host leads to ${port.guest}`, text: `http://${bracketed(hostOf(port, here))}:${port.host}` })
    else lines.push({ what: `Port ${port.host} of the host leads to ${port.guest}/${port.protocol}`, text: `${bracketed(hostOf(port, here))}:${port.host}` })
  }
  // Which NIC an address is of is not known: only where all are on bridges can one be reached from outside.
  const nics = vm.status.runtime?.nics ?? []
  const outside = nics.length > 0 && nics.every((nic) => nic.bridge)
  for (const address of vm.status.runtime?.agent?.addresses ?? [])
    if (outside && !address.startsWith('fe80:')) lines.push({ what: 'Address on its bridge', text: `ssh ${userOf(vm)}@${address}` })
    else lines.push({ what: 'Address inside its network', text: address })
  lines.push({ what: 'Serial console', text: `novacron console ${vm.meta.name}` })
  return lines
}

export const UNKNOWN_ADDRESS = 'unknown (no guest agent)'

/** Without a guest agent nobody knows what DHCP gave to a guest on a bridge. */
export function addressUnknown(vm: Vm): boolean {
  const { runtime } = vm.status
  return !runtime?.agent && runtime?.nics.some((nic) => nic.bridge) === true
}

/** What the guest agent tells. */
export function addressText(vm: Vm): string {
  return addressUnknown(vm) ? UNKNOWN_ADDRESS : vm.status.runtime?.agent?.addresses.join(', ') || '–'
}

function hostOf(port: PortForward, here: string): string {
  const address = port.address ?? '127.0.0.1'
  return address === '0.0.0.0' || address === '::' ? here : address
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Cloud images name their first user after themselves. */
function userOf(vm: Vm): string {
  const image = vm.spec.image ?? ''
  const known = ['debian', 'ubuntu', 'fedora', 'rocky', 'almalinux', 'arch']
  return known.find((name) => image.startsWith(name)) ?? 'root'
}
