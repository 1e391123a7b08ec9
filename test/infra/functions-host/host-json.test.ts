import { expect, test } from 'vitest'
import { parseHostJson } from '../../../infra/local/functions-host/host-json.ts'
import {
  isDisabled,
  resolveConnection,
  resolveSettings,
} from '../../../infra/local/functions-host/app-settings.ts'
import { isLogged } from '../../../infra/local/functions-host/log.ts'

test('what host.json does not say has the defaults of the host', () => {
  expect(parseHostJson('{ "version": "2.0" }', {})).toMatchObject({
    functionTimeout: 1_800_000,
    extensions: {
      http: { routePrefix: 'api' },
      serviceBus: {
        maxConcurrentCalls: 16,
        maxConcurrentSessions: 8,
        maxMessageBatchSize: 1000,
        maxAutoLockRenewalDuration: 300_000,
        autoCompleteMessages: true,
        clientRetryOptions: { mode: 'exponential', delay: 800, maxDelay: 60_000 },
      },
    },
  })
})

test('a part of host.json keeps the defaults of the rest, and -1 is no time limit', () => {
  const text =
    '{ "version": "2.0", "functionTimeout": "-1", "extensions": { "serviceBus": { "maxConcurrentCalls": 2 } } }'
  expect(parseHostJson(text, {})).toMatchObject({
    functionTimeout: Infinity,
    extensions: {
      http: { routePrefix: 'api' },
      serviceBus: { maxConcurrentCalls: 2, maxConcurrentSessions: 8 },
    },
  })
})

test('settings stand over host.json, whatever their case', () => {
  const settings = {
    AzureFunctionsJobHost__extensions__HTTP__routePrefix: '',
    AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls: '3',
    'AzureFunctionsJobHost:logging:logLevel:Function.one': 'Debug',
  }
  const text = '{ "version": "2.0", "extensions": { "http": { "routePrefix": "v1" } } }'
  expect(parseHostJson(text, settings)).toMatchObject({
    logging: { logLevel: { 'Function.one': 'Debug' } },
    extensions: { http: { routePrefix: '' }, serviceBus: { maxConcurrentCalls: 3 } },
  })
})

test.for([
  ['%A%-%B%', 'x-y'],
  ['100%', '100%'],
  ['plain', 'plain'],
] as const)('%s resolves to %s', ([text, resolved]) => {
  expect(resolveSettings(text, { A: 'x', B: 'y' })).toBe(resolved)
})

test('a connection is a string, its AzureWebJobs form, or an identity section', () => {
  expect(resolveConnection('SB', { SB: 'c' })).toEqual({ kind: 'string', connectionString: 'c' })
  expect(resolveConnection('SB', { AzureWebJobsSB: 'c' })).toMatchObject({ connectionString: 'c' })
  const section = { SB__fullyQualifiedNamespace: 'n', SB__clientId: 'id' }
  expect(resolveConnection('SB', section)).toEqual({
    kind: 'identity',
    namespace: 'n',
    clientId: 'id',
  })
  expect(() => resolveConnection('SB', {})).toThrow("needs a setting 'SB'")
})

test.for([
  [{ 'AzureWebJobs.one.Disabled': 'true' }, true],
  [{ AzureWebJobs__ONE__Disabled: '1' }, true],
  [{ 'AzureWebJobs.one.Disabled': 'false' }, false],
  [{ 'AzureWebJobs.two.Disabled': 'true' }, false],
] as const)('with %o, disabled is %s', ([settings, disabled]) => {
  expect(isDisabled('one', { ...settings })).toBe(disabled)
})

test.for([
  [{}, 'Function.one.User', 'information', true],
  [{}, 'Function.one.User', 'debug', false],
  [{ default: 'Warning' }, 'Function.one.User', 'information', false],
  [{ default: 'Warning', Function: 'Debug' }, 'Function.one.User', 'debug', true],
  [{ Function: 'Debug', 'Function.one.User': 'None' }, 'Function.one.User', 'critical', false],
  [{ 'Function.on': 'None' }, 'Function.one', 'information', true],
] as const)('with levels %o, %s lets %s through: %s', ([levels, category, level, isLet]) => {
  expect(isLogged(levels, category, level)).toBe(isLet)
})
