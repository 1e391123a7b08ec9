import type { Credential } from './credential.ts'
import type { CredentialPorts } from './ports.ts'
import { secretName, type Secret } from './secret.ts'

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
