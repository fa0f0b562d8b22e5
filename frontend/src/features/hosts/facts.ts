/** What hosts report under several names, read in one place. */
import { t } from '@lingui/core/macro'

import { bytes } from '@/lib/format'
import type { Host } from '@/lib/types'

const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')

export const engineOf = (host: Host): string => [host.engine.name, host.engine.version].filter(Boolean).join(' ') || '–'
export const agentOf = (host: Host): string => host.agent.version ?? '–'
export const cpusOf = (host: Host): number => Number(host.facts.cpus ?? 0)
export const memoryOf = (host: Host): number => Number(host.facts.memory_bytes ?? host.facts.memory ?? 0)
export const fact = (host: Host, name: string): string => text(host.facts[name]) || '–'

export function sizeOf(host: Host): string {
  const cpus = cpusOf(host)
  const memory = memoryOf(host)
  return [cpus > 0 && (cpus === 1 ? t`1 CPU` : t`${cpus} CPUs`), memory > 0 && bytes(memory)].filter(Boolean).join(' · ')
}

/** In percent of all its cores: a host reports percent of one. Undefined where it is not known. */
export const cpuUse = (host: Host): number | undefined => (host.cpu_percent === null || !cpusOf(host) ? undefined : host.cpu_percent / cpusOf(host))
/** In percent; undefined where it is not known. */
export const memoryUse = (host: Host): number | undefined => (host.memory_bytes && memoryOf(host) ? (host.memory_bytes / memoryOf(host)) * 100 : undefined)
export const diskUse = (host: Host): number | undefined => (host.disk.total && host.disk.used !== undefined ? (host.disk.used / host.disk.total) * 100 : undefined)

export const runningOf = (host: Host): string => `${String(host.counts.running)}/${String(host.counts.containers)}`
