import { AppError } from '../core/errors.ts'
import type { Purpose } from './authorization.ts'
import { refreshed, type Credential } from './credential.ts'
import { replace } from './lease.ts'
import type { CredentialPorts } from './ports.ts'
import { expiryOf } from './refresh.ts'
import { secretName, type OAuthSecret, type Secret, type VersionedSecret } from './secret.ts'

const KEEP_TRIES = 10

/** Lets a grant that a person has just given count, whatever stood there before. */
export async function keepGrant(
  ports: CredentialPorts,
  purpose: Purpose,
  secret: OAuthSecret,
): Promise<void> {
  const blank = blankCredential(purpose)
  const { tenantId, id } = blank
  const pair = await store(ports, blank, secret)
  for (let tried = 0; tried < KEEP_TRIES; tried += 1) {
    const stored = await ports.credentials.get([tenantId], id)
    const done = stored
      ? await replace(ports, stored, revived(stored.document, purpose, pair))
      : await create(ports, blank, pair)
    if (done) return
  }
  throw new AppError('conflict', `the credential ${id} kept changing`)
}

/** One whose end was begun lives on with what the person has given. */
function revived(
  document: Credential,
  { origin }: Purpose,
  pair: VersionedSecret<OAuthSecret>,
): Credential {
  return { ...refreshed(document, pair), origin, enabled: true, endedAt: null }
}

/** Stores a grant where there is none; one that somebody else has stored meanwhile stays. */
export async function createGrant(
  ports: CredentialPorts,
  purpose: Purpose,
  secret: OAuthSecret,
): Promise<void> {
  const blank = blankCredential(purpose)
  await create(ports, blank, await store(ports, blank, secret))
}

async function store(
  { vault, clock }: CredentialPorts,
  blank: Credential,
  secret: OAuthSecret,
): Promise<VersionedSecret<OAuthSecret>> {
  const text = JSON.stringify(secret)
  return { secret, version: await vault.set(secretName(blank.id), text, expiryOf(blank, clock())) }
}

async function create(
  { credentials }: CredentialPorts,
  blank: Credential,
  pair: VersionedSecret<OAuthSecret>,
): Promise<boolean> {
  const document = { ...refreshed(blank, pair), refreshCount: 0 }
  const written = await credentials.write([blank.tenantId], [{ kind: 'create', document }])
  return written.committed
}

function blankCredential(purpose: Purpose): Credential {
  const { tenantId, credentialId, integrationId, origin, device } = purpose
  return {
    id: credentialId,
    tenantId,
    integrationId,
    type: device ? 'device' : 'oauth2',
    expiryTime: null,
    enabled: true,
    needsReauth: false,
    refreshCount: 0,
    origin,
    ...(device ? { device: { userSysId: device.userSysId, origin } } : {}),
  }
}

const types: Readonly<Record<Secret['kind'], Credential['type']>> = {
  refresh_token: 'oauth2',
  client_credentials: 'oauth2',
  jwt_bearer: 'oauth2',
  basic: 'basic',
  api_key: 'api_key',
}

/** Keeps what a person entered: the secret in the vault, what may be known of it in the store. Can be repeated. */
export async function registerCredential(
  ports: Pick<CredentialPorts, 'credentials' | 'vault'>,
  of: Pick<Credential, 'id' | 'tenantId' | 'integrationId' | 'origin'>,
  secret: Secret,
): Promise<void> {
  await ports.vault.set(secretName(of.id), JSON.stringify(secret))
  const document: Credential = {
    id: of.id,
    tenantId: of.tenantId,
    integrationId: of.integrationId,
    type: types[secret.kind],
    expiryTime: null,
    enabled: true,
    needsReauth: false,
    refreshCount: 0,
    ...(of.origin === undefined ? {} : { origin: of.origin }),
  }
  await ports.credentials.write([of.tenantId], [{ kind: 'upsert', document }])
}
