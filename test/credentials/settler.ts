import { newId } from '../../src/core/ids.ts'
import { credentialAccess } from '../../src/credentials/access.ts'
import type { CredentialAnswer, CredentialRequest } from '../../src/credentials/ports.ts'
import { TWIN_CLIENT } from '../../infra/local/oauth/provider.ts'
import type { Cloud } from './cloud.ts'
import { localProvider } from './local-provider.ts'
import { silentLog } from './simulation.ts'

/** An instance in this process that came half a minute later: every lease of the dead has ended, and it need not wait. */
export function openWorkerAccess({ credentials, vault }: Cloud) {
  let nowMs = Date.now() + 30_000
  const notices: string[] = []
  const access = credentialAccess(
    {
      credentials,
      vault,
      fetch,
      quota: { admit: async () => undefined, learnFrom: async () => {} },
      providerOf: localProvider,
      clientOf: () => TWIN_CLIENT,
      tellAdmins: async (_credential, notice) => {
        notices.push(notice.id)
      },
      pause: async (ms) => {
        nowMs += ms
      },
      clock: () => new Date(nowMs),
      random: Math.random,
      newId: () => newId('refresh'),
      log: silentLog,
    },
    {
      owner: newId('instance'),
      leaseMs: 10_000,
      patienceMs: 5_000,
      maxTries: 3,
      timeoutMs: 60_000,
    },
  )
  return {
    notices,
    ask: async (request: CredentialRequest): Promise<CredentialAnswer> => {
      for (;;) {
        const answer = await access.getCredential(request)
        if (answer.kind !== 'retry') return answer
        nowMs += answer.afterMs
      }
    },
  }
}
