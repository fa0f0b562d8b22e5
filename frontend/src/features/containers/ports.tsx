import type { HostRef, Port } from '@/lib/types'

const LOCAL = ['127.0.0.1', '::1']

/** One line a published port: an address of the loopback cannot be opened from here. */
export function addressOf(port: Port, host: HostRef, address?: string): string | null {
  if (!port.host_port || port.protocol !== 'tcp' || LOCAL.includes(port.host_ip ?? '')) return null
  const name = port.host_ip && !['0.0.0.0', '::', ''].includes(port.host_ip) ? port.host_ip : (address ?? host.name)
  const secure = port.container_port === 443 || port.container_port === 8443
  return `${secure ? 'https' : 'http'}://${name.includes(':') ? `[${name}]` : name}:${String(port.host_port)}`
}

/** Published ports once each, IPv4 and IPv6 together. */
export function published(ports: Port[]): Port[] {
  const seen = new Map<string, Port>()
  for (const port of ports) if (port.host_port) seen.set(`${String(port.host_port)}/${String(port.container_port)}/${port.protocol}`, port)
  return [...seen.values()]
}

/** Where on the host a port is reached: both families of the same port on one line. */
export function bindingsOf(ports: Port[], port: Port): string {
  const same = ports.filter((other) => other.host_port === port.host_port && other.container_port === port.container_port && other.protocol === port.protocol)
  const addresses = same.map(({ host_ip }) => host_ip || '0.0.0.0').sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')))
  return [...new Set(addresses)].map((address) => `${address.includes(':') ? `[${address}]` : address}:${String(port.host_port)}`).join(', ')
}

export function PortLinks({ ports, host }: { ports: Port[]; host: HostRef }) {
  return published(ports).map((port, n) => {
    const to = addressOf(port, host)
    const words = port.host_port === port.container_port ? String(port.host_port) : `${String(port.host_port)} → ${String(port.container_port)}`
    return (
      <span key={words}>
        {n > 0 && ', '}
        {to ? (
          <a className="port" href={to} target="_blank" rel="noreferrer">
            {words}
          </a>
        ) : (
          words
        )}
      </span>
    )
  })
}
