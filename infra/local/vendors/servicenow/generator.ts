import type { Instance } from './instance.ts'
import { sysIdOf, toStamp, type Row } from './values.ts'

export interface Population {
  readonly seed: number
  readonly incidents: number
  readonly users: number
  /** Milliseconds since the epoch; the newest change is before it. */
  readonly untilMs: number
}

const FIRST_NAMES = [
  'Abel',
  'Beth',
  'Carla',
  'David',
  'Émile',
  'Fatima',
  'Grace',
  'Hiro',
  'Inês',
  'Jürgen',
]
const LAST_NAMES = [
  'Tuter',
  'Anglin',
  "O'Brien",
  'Luddy',
  'Müller',
  'Nakamura',
  'Okafor',
  'Santos',
  'Weiß',
  'Young',
]
const GROUPS = ['Service Desk', 'Network', 'Database', 'Hardware', 'Software', 'Field Services']
const PROBLEMS: readonly (readonly [category: string, subcategory: string, text: string])[] = [
  ['network', 'vpn', 'VPN drops every few minutes'],
  ['network', 'wireless', 'No wireless in meeting room'],
  ['software', 'email', 'Unable to connect to email'],
  ['software', 'os', 'Update fails with error 0x80070005'],
  ['hardware', 'disk', 'Laptop disk is nearly full'],
  ['hardware', 'printer', 'Printer prints blank pages'],
  ['database', 'oracle', 'Report "Q3 <final>" times out'],
  ['inquiry', 'password', 'Password reset – account locked'],
]
const STATES = ['1', '2', '2', '2', '3', '6', '7', '7']
const DAY_MS = 86_400_000

/** Fills an instance with users, groups and incidents: for one seed always the same (but for `untilMs`). */
export function populate(instance: Instance, population: Population): void {
  const random = mulberry32(population.seed)
  const pick = <T>(list: readonly T[]): T => {
    const found = list[Math.floor(random() * list.length)]
    if (found === undefined) throw new RangeError('nothing to pick from')
    return found
  }
  const groups = GROUPS.map((name) => instance.referTo('sys_user_group', name, { name }))
  const users = Array.from({ length: population.users }, (_, index) =>
    addUser(instance, index, `${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}`),
  )
  for (let index = 1; index <= population.incidents; index += 1) {
    const [category, subcategory, text] = pick(PROBLEMS)
    const state = pick(STATES)
    const ageMs = Math.floor(random() * 90 * DAY_MS)
    const opened = population.untilMs - ageMs - DAY_MS
    const impact = pick(['1', '2', '2', '3', '3', '3'])
    const urgency = pick(['1', '2', '2', '3', '3', '3'])
    const updated = toStamp(opened + Math.floor(random() * DAY_MS))
    const caller = pick(users)
    instance.writeSilently('incident', {
      ...identity(index),
      state,
      incident_state: state,
      hold_reason: state === '3' ? '1' : '',
      active: String(state !== '7'),
      impact,
      urgency,
      priority: String(Number(impact) + Number(urgency) - 1),
      category,
      subcategory,
      short_description: text,
      description: `${text}. Reported by telephone, ticket ${index}.`,
      contact_type: pick(['phone', 'email', 'self-service']),
      caller_id: caller,
      opened_by: caller,
      opened_at: toStamp(opened),
      assignment_group: pick(groups),
      assigned_to: state === '1' ? '' : pick(users),
      resolved_at: state === '6' || state === '7' ? updated : '',
      closed_at: state === '7' ? updated : '',
      close_code: state === '6' || state === '7' ? 'Solution provided' : '',
      sys_created_on: toStamp(opened),
      sys_created_by: 'admin',
      sys_updated_on: updated,
      sys_updated_by: 'admin',
      sys_mod_count: String(Math.floor(random() * 12)),
    })
  }
}

function identity(index: number): Row {
  const number = `INC${String(index).padStart(7, '0')}`
  return { number, sys_id: sysIdOf('incident', number), sys_class_name: 'incident' }
}

function addUser(instance: Instance, index: number, name: string): string {
  const [first = '', last = ''] = name.split(' ')
  const userName = `${first}.${last}.${index}`
    .normalize('NFD')
    .replace(/[^\w.]/g, '')
    .toLowerCase()
  return instance.referTo('sys_user', userName, {
    user_name: userName,
    name,
    first_name: first,
    last_name: last,
    email: `${userName}@example.com`,
    active: 'true',
    time_zone: 'GMT',
  })
}

/** A small generator of numbers in [0, 1) that is the same everywhere (mulberry32). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
