// How one gets into a VM from outside: command lines and addresses. Pure.
import type { PortForward, Vm } from '../../api/types'

export interface ConnectLine {
  what: string
  text: string
}

export function connectLines(vm: Vm): ConnectLine[] {
  const ports = (vm.spec.nics ?? []).flatMap((nic) => nic.ports)
  const lines: ConnectLine[] = []
  for (const port of ports) {
    if (port.guest === 22 && port.protocol !== 'udp')
      lines.push({ what: `Port ${port.host} of the host leads to ssh`, text: `ssh -p ${port.host} ${userOf(vm)}@${hostOf(port)}` })
    else if ([80, 8080, 3000, 8000].includes(port.guest) && port.protocol !== 'udp')
      lines.push({ what: `Port ${port.host} of the host leads to ${port.guest}`, text: `http://${bracketed(hostOf(port))}:${port.host}` })
    else lines.push({ what: `Port ${port.host} of the host leads to ${port.guest}/${port.protocol}`, text: `${bracketed(hostOf(port))}:${port.host}` })
  }
  for (const address of vm.status.runtime?.agent?.addresses ?? []) lines.push({ what: 'Address inside its network', text: address })
  lines.push({ what: 'Serial console', text: `novacron console ${vm.meta.name}` })
  return lines
}

/** What the guest agent tells. Without one nobody knows what DHCP gave to a guest on a bridge. */
export function addressText(vm: Vm): string {
  const { runtime } = vm.status
  if (!runtime?.agent && runtime?.nics.some((nic) => nic.bridge)) return 'unknown (no guest agent)'
  return runtime?.agent?.addresses.join(', ') || '–'
}

function hostOf(port: PortForward): string {
  const address = port.address ?? '127.0.0.1'
  return address === '0.0.0.0' || address === '::' ? '127.0.0.1' : address
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}

/** Cloud images name their first user after themselves. */
function userOf(vm: Vm): string {
  const image = vm.spec.image ?? ''
  const known = ['debian', 'ubuntu', 'fedora', 'rocky', 'alma', 'arch']
  return known.find((name) => image.startsWith(name)) ?? 'root'
}
