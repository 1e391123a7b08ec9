import type { Credential, Notice } from '../../../src/credentials/credential.ts'
import type { CredentialAnswer } from '../../../src/credentials/ports.ts'
import type { Rotation } from '../../../src/credentials/provider.ts'
import { parseSecret, secretName } from '../../../src/credentials/secret.ts'
import type { memoryProvider } from '../../credentials/memory-provider.ts'
import { key } from '../../credentials/simulation.ts'
import type { MemoryVault } from '../../ports/memory-vault.ts'
import type { Commit } from '../simulated-ports.ts'
import type { Actor, Simulation, Struck } from '../simulation.ts'

/** Half of what a token lives: nobody has reason to ask for another so soon. */
const SOON_MS = 15 * 60_000
/** What was only late, and not so late that its holder seemed dead: a slow provider, wrong clocks, lagging replicas. */
const isHarmless = ({ site, kind }: Struck) =>
  kind === 'skew' || kind === 'stale' || (kind === 'delay' && site.endsWith('provider.token'))
const token = /(?:refresh|access)-\d+/

interface Place {
  readonly rotation: Rotation
  readonly provider: ReturnType<typeof memoryProvider>
  readonly vault: MemoryVault
}

/** What has to hold whenever somebody asks or is answered, and in the end. */
export function refreshLaws(sim: Simulation, { rotation, provider, vault }: Place) {
  const calls: number[] = []
  const told = new Map<string, number>()
  const answers: { readonly by: string; readonly answer: CredentialAnswer }[] = []
  const versions = () => vault.secrets.get(secretName(key.credentialId)) ?? []
  const noFamilyRevoked = () => {
    if (provider.counts.replays > 0) {
      sim.violate(7, 'a token that works once was used twice, and the provider revoked the grant')
    }
  }
  return {
    asked: (actor: Actor) => {
      const last = calls.at(-1)
      if (sim.struck.length === 0 && last !== undefined && sim.now() - last < SOON_MS) {
        sim.violate(7, `${actor.name} refreshed what had just been refreshed`)
      }
      calls.push(sim.now())
    },
    told: (actor: Actor, { id, code }: Notice) => {
      sim.note(actor.name, `tells the admins: ${code}`)
      if (code !== 'reauth_required') return
      told.set(id, (told.get(id) ?? 0) + 1)
      if (told.size > 1) sim.violate(7, `${told.size} requests to connect again`)
    },
    committed: ({ changes }: Commit<Credential>) => {
      noFamilyRevoked()
      const found = token.exec(JSON.stringify(changes))
      if (found) sim.violate(10, `the document of the credential says ${found[0]}`)
    },
    answered: ({ name }: Actor, answer: CredentialAnswer) => {
      noFamilyRevoked()
      answers.push({ by: name, answer })
      if (answer.kind !== 'authorized') return
      const accessToken = answer.headers['authorization']?.replace('Bearer ', '') ?? ''
      if (!provider.knows(accessToken)) sim.violate(7, `${name} got a token of nobody`)
      if (!versions().some(({ value }) => value.includes(`"${accessToken}"`))) {
        sim.violate(7, `${name} uses a token that is not stored`)
      }
    },
    examine: (document: Credential | undefined) => {
      noFamilyRevoked()
      const last = answers.filter(({ by }) => by.startsWith('last'))
      const isFlagged = document?.needsReauth === true
      if (isFlagged && rotation.kind === 'none') {
        sim.violate(7, 'a person is asked to connect again, though the grant still works')
      }
      if (told.size > 0 && sim.struck.every(isHarmless)) {
        sim.violate(7, 'a person is asked to connect again, though everybody was only late')
      }
      if (isFlagged && told.size === 0) sim.violate(5, 'nobody was told to connect again')
      if (last.length < 2) sim.violate(9, 'somebody still waits for an answer')
      const refused = last.some(({ answer }) => answer.kind !== 'authorized')
      if (refused && !isFlagged) sim.violate(7, 'a caller was refused a grant that works')
      const [latest] = versions().slice(-1)
      const kept = parseSecret(latest?.value ?? '')
      const isNewer = latest !== undefined && latest.version !== document?.secretVersion
      if (isFlagged && isNewer && kept?.kind === 'refresh_token' && kept.from !== undefined) {
        sim.violate(7, 'a person is asked to connect again, though the vault holds what is needed')
      }
      const version = versions().find((one) => one.version === document?.secretVersion)
      const secret = parseSecret(version?.value ?? versions().at(-1)?.value ?? '')
      const refreshToken = secret?.kind === 'refresh_token' ? secret.refreshToken : ''
      if (!isFlagged && rotation.kind !== 'none' && !provider.isLive(refreshToken)) {
        sim.violate(7, 'the token that counts is used up')
      }
    },
  }
}
