import { expect, test } from 'vitest'
import type { Rotation } from '../../src/credentials/provider.ts'
import { parseSecret, secretName } from '../../src/credentials/secret.ts'
import { freshCredential, key, simulate, type Chances } from './simulation.ts'

const rotations: readonly Rotation[] = [
  { kind: 'none' },
  { kind: 'single_use' },
  { kind: 'optional' },
  { kind: 'reuse_window', windowMs: 600_000 },
]
/** After a crash nobody knows whether such a token was used up. */
const mayAsk: ReadonlySet<Rotation['kind']> = new Set(['single_use', 'optional'])
const INSTANCES = 3
const CALLERS = 2

/** Lets mortal instances and their callers meet an expired token, then one that lives find what they left. */
async function play(seed: number, rotation: Rotation, chances: Chances) {
  const world = simulate(seed, rotation, chances)
  const { random, time, provider, credentials, vault } = world
  const refreshToken = provider.connect()
  await vault.set(
    secretName(key.credentialId),
    JSON.stringify({ kind: 'refresh_token', refreshToken }),
  )
  await credentials.write([key.tenantId], [{ kind: 'create', document: freshCredential }])
  let open = 0
  for (let index = 0; index < INSTANCES; index += 1) {
    const mortal = world.instance(true)
    for (let caller = 0; caller < CALLERS; caller += 1) {
      time.at(random() * 15_000, () => void mortal.ask())
    }
  }
  const last = world.instance(false)
  open += 1
  time.at(20_000 + random() * 60_000, () => {
    void last.ask().then(() => {
      open -= 1
    })
  })
  await time.run(() => open === 0)
  // What is still on its way when the last caller has its answer may do no harm either.
  await time.run(() => false)
  const document = credentials.all()[0]
  if (!document) throw new Error('the credential is gone')
  const text = await vault.get(secretName(key.credentialId), document.secretVersion)
  const secret = parseSecret(text ?? '')
  if (secret?.kind !== 'refresh_token') throw new Error('the secret is gone')
  return { world, document, secret, answer: last.answers[0] }
}

/** What did not hold; and whether a person had to connect again. */
function judge(
  rotation: Rotation,
  { world, document, secret, answer }: Awaited<ReturnType<typeof play>>,
): { readonly broken: string[]; readonly reauth: boolean } {
  const { provider, notices, happened } = world
  const { counts } = provider
  const told = new Set(notices).size
  const isQuiet = happened.crashes + happened.lost === 0
  const { needsReauth } = document
  const rules: Readonly<Record<string, boolean>> = {
    'no family is revoked by us': counts.replays === 0,
    'at most one request to connect again': told <= 1,
    'nobody is told twice, unless the teller died': happened.crashes > 0 || notices.length === told,
    'one refresh where nothing goes wrong': !isQuiet || counts.calls === 1,
    'a person is asked only where nobody can know':
      !needsReauth || (mayAsk.has(rotation.kind) && !isQuiet),
    'who is asked was told, or will be': !needsReauth || told === 1 || Boolean(document.notice),
    'what counts is live':
      needsReauth || rotation.kind === 'none' || provider.isLive(secret.refreshToken),
    'the access token is the provider’s': needsReauth || provider.knows(secret.accessToken ?? ''),
    // A late answer may heal what was flagged after the last caller had looked.
    'the last caller has its answer':
      answer?.kind === 'authorized' || (answer?.kind === 'refused' && (needsReauth || told === 1)),
  }
  const broken = Object.keys(rules).filter((rule) => !rules[rule])
  return { broken, reauth: needsReauth }
}

const count = Number(process.env['SCHEDULES'] ?? 4_000)
const firstSeed = Number(process.env['SEED'] ?? 1)
const seeds = Array.from({ length: count }, (_, index) => firstSeed + index)

async function playAll(rotation: Rotation, chances: Chances) {
  const broken: string[] = []
  let reauths = 0
  let happened = 0
  for (const seed of seeds) {
    const outcome = await play(seed, rotation, chances)
    const verdict = judge(rotation, outcome)
    broken.push(...verdict.broken.map((rule) => `SEED=${seed} SCHEDULES=1: ${rule}`))
    reauths += Number(verdict.reauth)
    happened += outcome.world.happened.crashes + outcome.world.happened.lost
  }
  return { broken, reauthShare: reauths / count, happenedShare: happened / count }
}

const rough: Chances = { crash: 0.04, lostAnswer: 0.02, slow: 0.25, skewMs: 20_000 }

test.for(rotations)(
  'S47, S49: whatever dies, is late or is lost, a provider with $kind loses no token by us',
  { timeout: 120_000 },
  async (rotation) => {
    const { broken, happenedShare } = await playAll(rotation, rough)
    expect(broken).toEqual([])
    // Otherwise nothing was tried.
    expect(count < 100 || happenedShare > 0.5).toBe(true)
  },
)

test('S49: the schedules reach the place where nobody can know, and seldom', async () => {
  const { reauthShare } = await playAll({ kind: 'single_use' }, rough)
  expect(count < 100 || (reauthShare > 0 && reauthShare < 0.25)).toBe(true)
}, 120_000)

test.for([
  ['any delay', 0],
  ['any delay, and clocks that are ten minutes off', 600_000],
] as const)(
  'S48, S59: with no crash, %s, there is one refresh, and nobody is asked to connect again',
  { timeout: 120_000 },
  async ([, skewMs]) => {
    const { broken, reauthShare } = await playAll(
      { kind: 'single_use' },
      { crash: 0, lostAnswer: 0, slow: 0.9, skewMs },
    )
    expect({ broken, reauthShare }).toEqual({ broken: [], reauthShare: 0 })
  },
)
