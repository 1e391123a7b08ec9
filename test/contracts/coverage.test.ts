import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { faultsAt, type FaultKind, type Place } from '../simulation/faults.ts'

/** Whose a fault is: a service's, which its adapter has to meet; a process's own; or that of the world around us. */
const kinds: Readonly<Record<FaultKind, 'service' | 'process' | 'world'>> = {
  'crash-before': 'process',
  'crash-after': 'process',
  'answer-lost': 'service',
  unavailable: 'service',
  delay: 'service',
  stale: 'service',
  skew: 'world',
  'lock-lost': 'service',
  'completion-lost': 'service',
  twice: 'world',
  skipped: 'world',
  'vendor-trouble': 'service',
}

/** A file beside this one, and what a test in it says. */
type Held = readonly [file: string, test: string]

const faults = 'faults.test.ts'
const throttling = 'throttling.test.ts'
const limits = 'limit-faults.test.ts'
const realtime = '../adapters/realtime.test.ts'
const reading = '../connectors/reading.test.ts'
const outcomes = '../credentials/outcomes.test.ts'
const clock = '../system/clock.test.ts'
const phone = '../system/phone.test.ts'
const graph = '../webhooks/graph-subscriber.test.ts'

/** Which test holds the adapter to what the simulator does at a place. */
const held: { readonly [P in Place]: Readonly<Partial<Record<FaultKind, Held>>> } = {
  'collection read': {
    unavailable: [throttling, 'that is %s is given up in time, has done nothing, and works again'],
    delay: [throttling, 'that answers late has done the work once'],
    stale: ['replicas.test.ts', 'show a client what it wrote, and another one what was before'],
  },
  'collection write': {
    'answer-lost': [faults, 'that loses the answer to a conditional write has done it'],
    unavailable: [faults, 'that refuses a write has not done it'],
    delay: [throttling, 'that answers late has done the work once'],
  },
  'queue send': {
    'answer-lost': [faults, 'that loses the answer to a message has it once'],
    unavailable: [faults, 'that refuses a message does not have it'],
    delay: [throttling, 'that answers late has the message once'],
  },
  'queue delivery': {
    'lock-lost': [faults, 'gives a message to somebody else when its lock ends'],
    'completion-lost': [faults, 'gives a message again when nobody ever said that it is done'],
    // A message lies in the memory of an instance, with its lock running.
    delay: [faults, 'gives a message to somebody else when its lock ends'],
  },
  'vault call': {
    'answer-lost': [faults, 'that loses the answer has the secret all the same'],
    unavailable: [faults, 'that refuses a secret keeps what it had'],
    delay: [throttling, 'that answers late has one version more'],
  },
  'limits call': {
    'answer-lost': [limits, 'that lose an answer have taken once'],
    unavailable: [limits, 'that are away have taken nothing'],
    delay: [limits, 'that answer too late have taken'],
  },
  'realtime send': {
    'answer-lost': [realtime, 'a message whose answer is lost has arrived once'],
    unavailable: [realtime, 'a failure of the service is passed on after one attempt'],
    delay: [realtime, 'a message that is answered late has arrived once'],
  },
  'subscription call': {
    'answer-lost': [graph, 'a subscription whose answer is lost is made there'],
    unavailable: [graph, 'a subscription that Graph refuses is not made'],
    delay: [graph, 'a subscription that is answered too late counts as failed in bounded time'],
  },
  'vendor call': {
    delay: ['../connectors/client.test.ts', 'that was perhaps made is told from one that was not'],
    'vendor-trouble': [reading, '%s is a retry, and the next try reads the page'],
  },
  'vendor replica': {
    delay: ['../connectors/client.test.ts', 'that was perhaps made is told from one that was not'],
    stale: [reading, 'S27: a row that was committed late is found by a run'],
    'vendor-trouble': [reading, '%s is a retry, and the next try reads the page'],
  },
  'token endpoint': {
    'answer-lost': [outcomes, 'S49: a lost answer of a vendor whose tokens work once'],
    delay: ['../credentials/token-answer.test.ts', 'that ended in our own patience is unknown'],
    'vendor-trouble': [outcomes, 'pauses grow with every failure'],
  },
  'incoming post': {
    twice: [phone, 'a delivery that comes twice is told once'],
    // The answer that is lost is ours, and the sender posts again.
    'answer-lost': [phone, 'a delivery that comes twice is told once'],
  },
  'own timer': {
    delay: ['../infra/functions-host/timers.test.ts', 'a restarted host runs once what it missed'],
  },
  'relay timer': {},
  'instance clock': {
    skew: [
      clock,
      'S59: an instance whose clock is ten minutes ahead works by the time of the store',
    ],
  },
}

/** Beyond the kinds: what the world of the limiter does to its store in outages of its own making. */
const outages: readonly (readonly [what: string, Held])[] = [
  ['the store is away for a while', [limits, 'that are away have taken nothing']],
  [
    'what comes back is an empty replica',
    [limits, 'that have forgotten everything (%s) begin anew'],
  ],
]

const text = (file: string) => readFileSync(join(import.meta.dirname, file), 'utf8')

describe.for(Object.entries(faultsAt))('%s', ([place, struck]) => {
  const tests: Readonly<Partial<Record<FaultKind, Held>>> = held[place as Place] // its own keys

  test('every fault that the simulator strikes is held by a test, or is none of a service', () => {
    const missing = struck.filter((kind) => kinds[kind] === 'service' && !tests[kind])
    expect(missing).toEqual([])
  })

  test('nothing is held that the simulator does not strike', () => {
    const known: readonly string[] = struck
    expect(Object.keys(tests).filter((kind) => !known.includes(kind))).toEqual([])
  })

  test.for(Object.entries(tests))('%s: the test is there', ([, [file, name]]) => {
    expect(text(file)).toContain(`'${name}`)
  })
})

test.for(outages)('%s: the test is there', ([, [file, name]]) => {
  expect(text(file)).toContain(`'${name}`)
})

test('every kind of fault is struck somewhere', () => {
  const struck = new Set<string>(Object.values(faultsAt).flat())
  expect(Object.keys(kinds).filter((kind) => !struck.has(kind))).toEqual([])
})
