import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'csv-parse/sync'
import { z } from 'zod'
import { keysOf, type KeyRule } from '../../src/sync/dedupe/blocking.ts'
import {
  candidateOf,
  learn,
  patternOf,
  type Candidate,
  type ComparedField,
} from '../../src/sync/dedupe/match.ts'
import { matchRow, type Duplicates } from '../../src/sync/dedupe/strategy.ts'
import { probabilityOf } from '../../src/sync/dedupe/weights.ts'
import type { Bench, Figure } from './harness.ts'

/** Beside the repository, or beside the folder that its working trees are in. */
const folder =
  ['../../../shared', '../../../../shared']
    .map((shared) => path.join(import.meta.dirname, shared, 'data/dedupe'))
    .find((one) => existsSync(one)) ?? 'shared/data/dedupe'
const rowsShape = z.array(z.record(z.string(), z.string()))

interface LabelledSet {
  readonly file: string
  readonly id: string
  readonly compared: readonly ComparedField[]
  readonly keys: readonly KeyRule[]
  /** The best published F1 for these columns, where there is one (README of the labelled sets). */
  readonly published?: number
}

/** `'surname.sound postcode.exact'`. */
function rule(text: string): KeyRule {
  return {
    parts: text.split(' ').map((part) => {
      const [field = '', by = 'exact'] = part.split('.')
      return { field, by: by as KeyRule['parts'][number]['by'] } // the tables below hold no other words
    }),
  }
}

function fields(named: Readonly<Record<string, ComparedField['by']>>): ComparedField[] {
  return Object.entries(named).map(([field, by]) => ({ field, by }))
}

/** Without birth date and social security number, as a CRM has them. */
const person = {
  id: 'rec_id',
  compared: fields({
    given_name: 'name',
    surname: 'name',
    street_number: 'digits',
    address_1: 'text',
    address_2: 'text',
    suburb: 'text',
    postcode: 'digits',
    state: 'exact',
  }),
  keys: [
    'given_name.sound surname.sound',
    'surname.sound postcode.exact',
    'given_name.sound postcode.exact',
    'address_1.exact street_number.exact',
    'given_name.sound suburb.sound',
    'surname.sound suburb.sound',
    'address_1.sound',
    'postcode.exact street_number.exact',
    'surname.start street_number.exact',
    'given_name.start street_number.exact',
    'suburb.start street_number.exact',
    'given_name.start surname.start',
    'address_1.start suburb.start',
    'surname.start suburb.start',
    'given_name.start suburb.start',
    'address_2.exact suburb.start',
    'address_2.exact postcode.exact',
  ].map(rule),
}

/** With everything that the set has. */
const whole = {
  ...person,
  compared: [...person.compared, ...fields({ date_of_birth: 'date', soc_sec_id: 'digits' })],
  keys: [...person.keys, ...['soc_sec_id.exact', 'date_of_birth.exact'].map(rule)],
}

/** Keys were chosen with febrl3 and contacts in view; febrl1, febrl2 and restaurants were not looked at. */
const sets: Readonly<Record<string, LabelledSet>> = {
  febrl1_crm: { ...person, file: 'febrl1' },
  febrl1_all: { ...whole, file: 'febrl1', published: 1 },
  febrl2_all: { ...whole, file: 'febrl2', published: 0.999 },
  febrl3_all: { ...whole, file: 'febrl3', published: 0.999 },
  febrl2_crm: { ...person, file: 'febrl2', published: 0.979 },
  febrl3_crm: { ...person, file: 'febrl3', published: 0.972 },
  contacts_fake1000: {
    file: 'contacts_fake1000',
    id: 'unique_id',
    compared: fields({
      first_name: 'name',
      surname: 'name',
      dob: 'date',
      city: 'text',
      email: 'text',
    }),
    keys: [
      'email.start',
      'dob.exact',
      'first_name.start surname.start',
      'surname.sound city.start',
      'first_name.sound city.start',
      'first_name.sound',
      'surname.sound',
      'email.words',
    ].map(rule),
    published: 0.933,
  },
  restaurants: {
    file: 'restaurants',
    id: 'id',
    compared: fields({
      name: 'words',
      address: 'words',
      city: 'text',
      phone: 'digits',
      type: 'text',
    }),
    keys: ['phone.digits', 'name.words city.start', 'name.start', 'address.start'].map(rule),
    published: 0.923,
  },
}

/** A key that so many share says nothing. */
const MAX_BLOCK = 100
const SURE = 0.999
const LIKELY = 0.5

/** How well duplicates are found where somebody knows the truth; weights are learned without it. */
export const dedupe: Bench = {
  name: 'dedupe',
  summary:
    'duplicates found in labelled sets: F1 beside the best published, precision of what is linked unasked, what people are asked; more by its name',
  run: async (progress) => {
    if (!existsSync(folder)) throw new Error(`the labelled sets are not at ${folder}`)
    return Object.entries(sets).flatMap(([name, set]) => {
      progress(name)
      return measure(name, set)
    })
  },
}

function measure(name: string, set: LabelledSet): readonly Figure[] {
  const startedAt = performance.now()
  const rows = read(`${set.file}.csv`)
  const candidates = rows.map((row) => candidateOf(row[set.id] ?? '', row, set.compared))
  const pairs = blockedPairs(rows, set.keys)
  const at = (index: number) => candidates[index] ?? candidateOf('', {}, set.compared)
  const patterns = pairs.map(([a, b]) => patternOf(at(a), at(b), set.compared))
  const weights = learn(set.compared, patterns)
  const seconds = (performance.now() - startedAt) / 1_000
  const pairKey = (a: string, b: string) => [a, b].sort().join(' ')
  const truth = new Set(
    read(`${set.file}.pairs.csv`).map(({ id1 = '', id2 = '' }) => pairKey(id1, id2)),
  )
  const score = (threshold: number) => {
    const found = pairs.filter(
      (_, index) => probabilityOf(weights, patterns[index] ?? []) >= threshold,
    )
    const right = found.filter(([a, b]) => truth.has(pairKey(at(a).id, at(b).id))).length
    return { precision: right / Math.max(1, found.length), recall: right / truth.size }
  }
  const linked = link(rows, { set, weights, candidates })
  const rightlyLinked = linked.pairs.filter(([a, b]) =>
    truth.has(pairKey(at(a).id, at(b).id)),
  ).length
  const all = (rows.length * (rows.length - 1)) / 2
  const { precision, recall } = score(LIKELY)
  const f1 = (2 * precision * recall) / (precision + recall)
  const linkedPrecision = rightlyLinked / Math.max(1, linked.pairs.length)
  const baseline = set.published === undefined ? {} : { floor: set.published }
  const figures = [
    { name: 'f1', value: f1, unit: 'F1', ...baseline },
    { name: 'linked_precision', value: linkedPrecision, unit: 'share' },
    { name: 'asked', value: linked.asked / rows.length, unit: 'share of rows' },
    { name: 'compared', value: pairs.length / all, unit: 'share of all pairs' },
  ]
  const details = [
    { name: 'precision', value: precision, unit: 'share' },
    { name: 'recall', value: recall, unit: 'share' },
    { name: 'sure_precision', value: score(SURE).precision, unit: 'share' },
    { name: 'sure_recall', value: score(SURE).recall, unit: 'share' },
    { name: 'shown_recall', value: score(0.1).recall, unit: 'share' },
    { name: 'speed', value: rows.length / seconds, unit: 'rows/s' },
  ].map((figure) => ({ ...figure, isDetail: true as const }))
  return [...figures, ...details].map((figure) => ({
    ...figure,
    name: `dedupe_${name}_${figure.name}`,
  }))
}

interface Linking {
  readonly set: LabelledSet
  readonly weights: Duplicates['weights']
  readonly candidates: readonly Candidate[]
}

/** Rows arrive one by one, as in a run: each is linked to a record, shown to a person, or becomes a record itself. */
function link(rows: readonly Record<string, string>[], { set, weights, candidates }: Linking) {
  const by: Duplicates = {
    strategy: 'fuzzy',
    keys: set.keys.map(({ parts }) => ({ parts: [...parts] })),
    fields: [...set.compared],
    sure: SURE,
    likely: LIKELY,
    weights,
  }
  const blocks = new Map<string, number[]>()
  const pairs: (readonly [number, number])[] = []
  let asked = 0
  for (const [index, row] of rows.entries()) {
    const keys = keysOf(row, set.keys)
    const sharing = keys.flatMap((key) => blocks.get(key) ?? [])
    const known = [...new Set(sharing)].flatMap((one) => candidates[one] ?? [])
    const candidate = candidates[index]
    if (!candidate) continue
    const { verdict, id } = matchRow(candidate, known, by)
    if (verdict === 'sure') {
      pairs.push([index, candidates.findIndex((one) => one.id === id)])
      continue
    }
    asked += Number(verdict === 'likely')
    for (const key of keys) blocks.set(key, [...(blocks.get(key) ?? []), index])
  }
  return { pairs, asked }
}

function read(file: string): Record<string, string>[] {
  return rowsShape.parse(parse(readFileSync(path.join(folder, file)), { columns: true }))
}

function blockedPairs(
  rows: readonly Record<string, string>[],
  keys: readonly KeyRule[],
): readonly (readonly [number, number])[] {
  const blocks = new Map<string, number[]>()
  for (const [index, row] of rows.entries()) {
    for (const key of keysOf(row, keys)) blocks.set(key, [...(blocks.get(key) ?? []), index])
  }
  const pairs = new Map<number, readonly [number, number]>()
  for (const block of blocks.values()) {
    if (block.length > MAX_BLOCK) continue
    for (const [nth, a] of block.entries()) {
      for (const b of block.slice(nth + 1)) pairs.set(a * rows.length + b, [a, b])
    }
  }
  return [...pairs.values()]
}
