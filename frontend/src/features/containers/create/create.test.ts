import { describe, expect, test } from 'vitest'

import { dockerRun } from './dockerRun'
import { EMPTY, loadDraft, saveDraft } from './model'
import { fieldOf } from './pointers'
import { parseBytes, problemsOf, toSpec } from './spec'
import { shellWords } from './words'

const draft = { ...EMPTY, host: 'h', image: 'nginx' }

test.each([
  ['echo hello world', ['echo', 'hello', 'world']],
  ['sh -c "echo $HOME; exit 3"', ['sh', '-c', 'echo $HOME; exit 3']],
  ["printf '%s\\n' ''", ['printf', '%s\\n', '']],
  ['a\\ b "c\\"d"', ['a b', 'c"d']],
])('%s', (line, words) => {
  expect(shellWords(line).words).toEqual(words)
})

test('an open quotation mark is a problem', () => {
  expect(shellWords('echo "x').problem).toBe('quote')
})

test.each([['512m', 512 * 1024 ** 2], ['1.5 GiB', 1.5 * 1024 ** 3], ['10', 10], ['lots', undefined]])('%s in bytes', (text, value) => {
  expect(parseBytes(text)).toBe(value)
})

describe('the specification', () => {
  test('holds only what was set', () => {
    expect(toSpec(draft)).toEqual({})
  })
  test('uses the engine’s names', () => {
    const spec = toSpec({
      ...draft,
      command: 'sleep 60',
      env: [{ key: 'A', value: 'b', secret: false }],
      ports: [{ address: '', host: '8080', container: '80', protocol: 'tcp' }],
      mounts: [{ type: 'volume', source: 'data', target: '/data', readOnly: true }],
      restart: 'on-failure',
      retries: '3',
      memory: '64m',
      networks: ['front', 'back'],
    })
    expect(spec).toEqual({
      Cmd: ['sleep', '60'],
      Env: ['A=b'],
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
        Mounts: [{ Type: 'volume', Source: 'data', Target: '/data', ReadOnly: true }],
        NetworkMode: 'front',
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
        Memory: 64 * 1024 ** 2,
      },
      NetworkingConfig: { EndpointsConfig: { front: {}, back: {} } },
    })
  })
  test('no health check is said, not left out', () => {
    expect(toSpec({ ...draft, health: 'none' })).toEqual({ Healthcheck: { Test: ['NONE'] } })
  })
})

test('what is wrong is found at its field', () => {
  const ids = problemsOf({ ...EMPTY, name: '-x', memory: '1m', ports: [{ address: '', host: '0', container: '99999', protocol: 'tcp' }], env: [{ key: 'A', value: '', secret: false }, { key: 'A', value: '', secret: false }] }).map((item) => item.id)
  expect(ids).toEqual(['f-host', 'f-image', 'f-name', 'f-env-1', 'f-port-container-0', 'f-port-host-0', 'f-memory'])
  expect(problemsOf(draft)).toEqual([])
})

test('a draft survives without its secrets', () => {
  saveDraft({ ...draft, env: [{ key: 'P', value: 'hunter2', secret: true }] })
  expect(sessionStorage.getItem('longshore.draft.container')).not.toContain('hunter2')
  expect(loadDraft().env).toEqual([{ key: 'P', value: '', secret: true }])
})

test('docker run masks secrets and quotes words', () => {
  const line = dockerRun({ ...draft, env: [{ key: 'P', value: 'hunter2', secret: true }], command: 'sh -c "echo hi"' })
  expect(line).toBe("docker run -d \\\n  --env P=•••••• \\\n  nginx sh -c 'echo hi'")
})

test.each([
  ['/spec/Env/1', 'f-env-2'],
  ['/spec/Labels/tier', 'f-labels-1'],
  ['/spec/ExposedPorts/53~1udp', 'f-port-container-1'],
  ['/spec/HostConfig/PortBindings/53~1udp/0/HostPort', 'f-port-host-1'],
  ['/spec/HostConfig/PortBindings/80~1tcp/1/HostPort', 'f-port-host-2'],
  ['/spec/HostConfig/Mounts/1/Source', 'f-mount-2'],
  ['/spec/HostConfig/PidsLimit', 'f-pids'],
  ['/spec/HostConfig/PortBindings', 'f-port-host-0'],
  ['/nothing/known', ''],
])('%s is said at the row that it speaks of', (pointer, field) => {
  const port = (container: string, protocol: string) => ({ address: '', host: '', container, protocol })
  const mount = (target: string) => ({ type: 'volume', source: 'v', target, readOnly: false })
  const filled = {
    ...draft,
    env: ['A', '', 'B'].map((key) => ({ key, value: '', secret: false })),
    labels: [{ key: 'app', value: '' }, { key: 'tier', value: '' }],
    ports: [port('80', 'tcp'), port('53', 'udp'), port('80', 'tcp')],
    mounts: [mount('/a'), mount(''), mount('/b')],
  }
  expect(fieldOf(pointer, filled)).toBe(field)
})

test('limits, settings, devices and log options are in Docker’s own words', () => {
  const filled = {
    ...draft,
    ulimits: [{ key: 'nofile', value: '1024:2048' }, { key: 'nproc', value: '64' }],
    sysctls: [{ key: 'net.core.somaxconn', value: '512' }],
    devices: [{ key: '/dev/fuse', value: '' }, { key: '', value: '' }],
    logDriver: 'json-file',
    logOptions: [{ key: 'max-size', value: '10m' }],
  }
  expect(problemsOf(filled)).toEqual([])
  expect(toSpec(filled).HostConfig).toEqual({
    Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 2048 }, { Name: 'nproc', Soft: 64, Hard: 64 }],
    Sysctls: { 'net.core.somaxconn': '512' },
    Devices: [{ PathOnHost: '/dev/fuse', PathInContainer: '/dev/fuse', CgroupPermissions: 'rwm' }],
    LogConfig: { Type: 'json-file', Config: { 'max-size': '10m' } },
  })
  expect(dockerRun(filled)).toContain('--ulimit nofile=1024:2048')
  expect(problemsOf({ ...filled, ulimits: [{ key: 'nofile', value: 'many' }] }).map((item) => item.id)).toEqual(['f-ulimits-0'])
})
