import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readSettings } from '../src/settings.ts'

const enough = {
  COSMOS_ENDPOINT: 'https://account.documents.azure.com:443/',
  SERVICE_BUS_NAMESPACE: 'bus',
  KEY_VAULT_NAME: 'vault',
  WEBHOOK_SECRET: 'a secret',
  SIGNALR_CONNECTION_STRING:
    'Endpoint=https://x.service.signalr.net;AuthType=azure.msi;Version=1.0;',
  AUTH_ISSUERS: 'https://login.example/tenant/v2.0/, https://other.example',
}

function problemsOf(environment: Record<string, string | undefined>): string {
  try {
    readSettings(environment)
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

test('what is not set has the defaults that the contract names', () => {
  expect(readSettings(enough)).toMatchObject({
    cosmos: {
      endpoint: 'https://account.documents.azure.com:443',
      key: undefined,
      database: 'syncline',
      containers: { tasks: 'sync-tasks', results: 'sync-results', credentials: 'credentials' },
    },
    serviceBus: { inboundQueue: 'sync-inbound', outboundQueue: 'sync-outbound' },
    keyVaultUrl: 'https://vault.vault.azure.net',
    sync: { batchSize: 100, maxRetries: 3, schedule: '0 0 * * * *' },
    auth: { issuers: ['https://login.example/tenant/v2.0', 'https://other.example'] },
  })
})

test('one message names every variable that is missing', () => {
  const message = problemsOf({})
  for (const name of [
    'COSMOS_ENDPOINT',
    'WEBHOOK_SECRET',
    'AUTH_ISSUERS',
    'SERVICE_BUS_CONNECTION_STRING or SERVICE_BUS_NAMESPACE',
    'KEY_VAULT_URL or KEY_VAULT_NAME',
    'SIGNALR_CONNECTION_STRING or WEB_PUBSUB_CONNECTION_STRING',
  ]) {
    expect(message).toContain(`${name}: is missing`)
  }
})

test.for<[string, Record<string, string>]>([
  ['COSMOS_ENDPOINT', { COSMOS_ENDPOINT: 'not-a-url-but-a-secret' }],
  ['SERVICE_BUS_CONNECTION_STRING', { SERVICE_BUS_CONNECTION_STRING: 'not-a-url-but-a-secret' }],
  ['SYNC_BATCH_SIZE', { SYNC_BATCH_SIZE: 'not-a-url-but-a-secret' }],
  ['SYNC_BATCH_SIZE', { SYNC_BATCH_SIZE: '0' }],
  ['REDIS_URL', { REDIS_URL: 'not-a-url-but-a-secret' }],
  ['RATE_LIMITS', { RATE_LIMITS: 'not-a-url-but-a-secret' }],
  ['RATE_LIMITS', { RATE_LIMITS: '{"integrations":{"github":{"integration":0}}}' }],
  ['RATE_LIMITS', { RATE_LIMITS: '{"not-a-url-but-a-secret":1}' }],
  ['TRUSTED_PROXY_HOPS', { TRUSTED_PROXY_HOPS: '-1' }],
  ['SYNC_MAX_RETRIES', { SYNC_MAX_RETRIES: '2.5' }],
])('a malformed %s is named and not shown', ([name, change]) => {
  const message = problemsOf({ ...enough, ...change })
  expect(message).toContain(`${name}: is malformed`)
  expect(message).not.toContain('a-secret')
})

test('a variable that is set to nothing counts as not set', () => {
  expect(readSettings({ ...enough, SYNC_BATCH_SIZE: ' ' }).sync.batchSize).toBe(100)
  expect(problemsOf({ ...enough, WEBHOOK_SECRET: '' })).toContain('WEBHOOK_SECRET: is missing')
})

describe('local.settings.example.json', () => {
  const example = JSON.parse(
    readFileSync(new URL('../local.settings.example.json', import.meta.url), 'utf8'),
  ) as {
    Values: Record<string, string>
  } // read below as what it says
  const source = readFileSync(new URL('../src/settings.ts', import.meta.url), 'utf8')
  const known = [...source.matchAll(/^ {2}([A-Z][A-Z_]+):/gm)].map(([, name]) => name ?? '')

  test('names every variable that the settings know', () => {
    expect(known.length).toBeGreaterThan(20)
    expect(known.filter((name) => !(name in example.Values))).toEqual([])
  })

  test('is accepted as it is', () => {
    expect(problemsOf(example.Values)).toBe('')
  })
})
