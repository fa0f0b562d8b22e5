/** The form as `docker run`: secrets masked, words quoted as a shell needs them. */
import type { Draft } from './model'
import { quoted, shellWords } from './words'

export function dockerRun(draft: Draft): string {
  const parts: string[] = []
  const flag = (name: string, value = ''): void => void parts.push(value ? `--${name} ${quoted(value)}` : `--${name}`)
  const flags = (name: string, text: string): void => { text.split(/[\s,]+/).filter(Boolean).forEach((value) => { flag(name, value); }); }
  if (draft.name) flag('name', draft.name)
  for (const row of draft.env) if (row.key) parts.push(row.secret ? `--env ${row.key}=••••••` : `--env ${quoted(`${row.key}=${row.value}`)}`)
  for (const port of draft.ports) if (port.container) flag('publish', [port.address, port.host, `${port.container}/${port.protocol}`].filter(Boolean).join(':'))
  if (draft.publishAll) flag('publish-all')
  for (const mount of draft.mounts) {
    if (mount.target) flag('mount', [`type=${mount.type}`, mount.source && mount.type !== 'tmpfs' && `source=${mount.source}`, `target=${mount.target}`, mount.readOnly && 'readonly'].filter(Boolean).join(','))
  }
  for (const network of draft.networks) if (network) flag('network', network)
  if (draft.restart !== 'no') flag('restart', draft.restart === 'on-failure' && draft.retries ? `on-failure:${draft.retries}` : draft.restart)
  if (draft.autoRemove) flag('rm')
  if (draft.memory) flag('memory', draft.memory)
  if (draft.cpus) flag('cpus', draft.cpus)
  if (draft.pids) flag('pids-limit', draft.pids)
  if (draft.shm) flag('shm-size', draft.shm)
  if (draft.health === 'none') flag('no-healthcheck')
  if (draft.health === 'own' && draft.healthCommand) flag('health-cmd', draft.healthCommand)
  for (const row of draft.labels) if (row.key) flag('label', `${row.key}=${row.value}`)
  if (draft.user) flag('user', draft.user)
  if (draft.workingDir) flag('workdir', draft.workingDir)
  if (draft.hostname) flag('hostname', draft.hostname)
  if (draft.tty) flag('tty')
  if (draft.stdin) flag('interactive')
  if (draft.init) flag('init')
  flags('cap-add', draft.capAdd)
  flags('cap-drop', draft.capDrop)
  if (draft.privileged) flag('privileged')
  if (draft.noNewPrivileges) flag('security-opt', 'no-new-privileges')
  if (draft.readOnlyRoot) flag('read-only')
  for (const row of draft.ulimits) if (row.key) flag('ulimit', `${row.key}=${row.value}`)
  for (const row of draft.sysctls) if (row.key) flag('sysctl', `${row.key}=${row.value}`)
  for (const row of draft.devices) if (row.key) flag('device', row.value ? `${row.key}:${row.value}` : row.key)
  if (draft.logDriver) flag('log-driver', draft.logDriver)
  for (const row of draft.logOptions) if (row.key) flag('log-opt', `${row.key}=${row.value}`)
  flags('dns', draft.dns)
  flags('add-host', draft.extraHosts)
  if (draft.stopSignal) flag('stop-signal', draft.stopSignal)
  if (draft.stopTimeout) flag('stop-timeout', draft.stopTimeout)
  const [first, ...rest] = shellWords(draft.entrypoint).words
  if (first) flag('entrypoint', first)
  const tail = [quoted(draft.image.trim() || 'IMAGE'), ...rest.map(quoted), ...shellWords(draft.command).words.map(quoted)].join(' ')
  return [`docker ${draft.start ? 'run -d' : 'create'}`, ...parts, tail].join(' \\\n  ')
}
