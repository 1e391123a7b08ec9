import type { Write } from '../../../src/core/collection.ts'
import type { Credential } from '../../../src/credentials/credential.ts'
import type { CredentialPorts } from '../../../src/credentials/ports.ts'
import { vendor } from '../../credentials/simulation.ts'

/** A behaviour that is wrong, planted between the production code and its ports. */
export interface RefreshBug {
  readonly what: string
  readonly ports?: (ports: CredentialPorts) => CredentialPorts
}

type Plant = NonNullable<RefreshBug['ports']>

const inWrites =
  (change: (write: Write<Credential>) => Write<Credential> | undefined): Plant =>
  (ports) => ({
    ...ports,
    credentials: {
      ...ports.credentials,
      write: async (partition, writes) => {
        const changed = writes.flatMap((one) => change(one) ?? [])
        if (changed.length > 0) return ports.credentials.write(partition, changed)
        return { committed: true, etags: writes.map((one) => ('etag' in one ? one.etag : '')) }
      },
    },
  })

const inDocument = (change: (document: Credential) => Credential): Plant =>
  inWrites((one) => ({ ...one, document: change(one.document) }))

const inVault =
  (
    change: (
      vault: CredentialPorts['vault'],
      ports: CredentialPorts,
    ) => Partial<CredentialPorts['vault']>,
  ): Plant =>
  (ports) => ({ ...ports, vault: { ...ports.vault, ...change(ports.vault, ports) } })

export const refreshBugs: Readonly<Record<string, RefreshBug>> = {
  'no-lock': {
    what: 'whoever finds the token expired refreshes it, without a lock',
    ports: (ports) => {
      const blind = inWrites(({ document }) => ({ kind: 'upsert', document }))(ports)
      const free = (document: Credential): Credential => ({
        ...document,
        lease: null,
        intent: null,
      })
      return {
        ...blind,
        credentials: {
          ...blind.credentials,
          get: async (partition, id) => {
            const found = await ports.credentials.get(partition, id)
            return found && { ...found, document: free(found.document) }
          },
        },
      }
    },
  },
  'blind-credential': {
    what: 'the document is written whatever became of it',
    ports: inWrites(({ document }) => ({ kind: 'upsert', document })),
  },
  'use-before-store': {
    what: 'the new token is used first and stored a moment later',
    ports: inVault((vault, { pause }) => {
      let count = 0
      return {
        set: async (name, value, expires) => {
          void pause(2_000)
            .then(() => vault.set(name, value, expires))
            .catch(() => {})
          return `unsaved-${(count += 1)}`
        },
      }
    }),
  },
  'no-intent': {
    what: 'what is about to be done is not written down before it is done',
    ports: inDocument((document) => ({ ...document, intent: null })),
  },
  'replays-anyway': {
    what: 'a token that works once is used again after a lost answer',
    ports: (ports) => ({ ...ports, providerOf: () => vendor({ kind: 'none' }) }),
  },
  'lease-not-kept': {
    what: 'the lease is not prolonged while the provider is slow',
    ports: (ports) => {
      const known = new Map<string, string>()
      return inWrites((one) => {
        const { intent, epoch } = one.document
        const state = JSON.stringify([intent, epoch, one.document.secretVersion])
        const prolongs = intent !== null && intent !== undefined && known.has(state)
        known.set(state, '')
        return prolongs ? undefined : one
      })(ports)
    },
  },
  'latest-unread': {
    what: 'what somebody stored before he died is never looked for',
    ports: inVault((vault) => ({
      latest: async (name) => {
        const latest = await vault.latest(name)
        return latest?.value.includes('"from"') ? undefined : latest
      },
    })),
  },
  'trouble-is-the-end': {
    what: 'a provider that is away is taken to have refused the grant',
    ports: (ports) => ({
      ...ports,
      fetch: async (input, init) => {
        const answer = await ports.fetch(input, init)
        return answer.status >= 500
          ? Response.json({ error: 'invalid_grant' }, { status: 400 })
          : answer
      },
    }),
  },
  'flag-forgotten': {
    what: 'that a person has to connect again is told, and not written down',
    ports: inDocument((document) => ({ ...document, needsReauth: false })),
  },
  'nobody-told': {
    what: 'the document waits for a person whom nobody tells',
    ports: (ports) => ({ ...ports, tellAdmins: async () => {} }),
  },
  'rotation-ignored': {
    what: 'the refresh token that comes with a new token is not kept',
    ports: inVault((vault) => {
      let first: string | undefined
      return {
        get: async (name, version) => {
          const value = await vault.get(name, version)
          first ??= /"refreshToken":"([^"]+)"/.exec(value ?? '')?.[1]
          return value
        },
        set: (name, value, expires) => {
          const kept =
            first === undefined
              ? value
              : value.replace(/"refreshToken":"[^"]+"/, `"refreshToken":"${first}"`)
          return vault.set(name, kept, expires)
        },
        latest: async (name) => {
          const latest = await vault.latest(name)
          first ??= /"refreshToken":"([^"]+)"/.exec(latest?.value ?? '')?.[1]
          return latest
        },
      }
    }),
  },
  'secret-in-document': {
    what: 'the document says which token it is about',
    ports: (ports) => {
      let last = ''
      const plant = inDocument((document) => ({ ...document, integrationId: `vendor ${last}` }))
      const planted = plant(ports)
      return {
        ...planted,
        vault: {
          ...planted.vault,
          set: (name, value, expires) => {
            last = /access-\d+/.exec(value)?.[0] ?? ''
            return ports.vault.set(name, value, expires)
          },
        },
      }
    },
  },
}
