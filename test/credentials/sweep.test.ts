import { describe, expect, test } from 'vitest'
import { refreshTokenOf, world } from './vendor-world.ts'

describe('the refresher of idle tokens', () => {
  const limits = { thresholdMs: 3_600_000, timeLimitMs: 60_000 }

  test('refreshes what ends within the threshold, and writes an audit of it', async () => {
    await using here = await world('servicenow')
    await here.ask()
    here.advance(1_000_000)
    const audit = await here.refreshExpiring(limits)
    expect(audit).toMatchObject({ totalAttempted: 1, successful: 1, failed: 0 })
    expect(audit.results).toMatchObject([
      { credentialId: 'cred-1', tenantId: 'tenant-1', integrationId: 'servicenow', success: true },
    ])
    expect(here.audits.all()).toEqual([audit])
    expect(here.calls).toHaveLength(2)
    expect(audit.results[0]?.newExpiryTime).toBe(here.document()?.expiryTime)
  })

  test('S19: two that run at once refresh once', async () => {
    await using here = await world('zendesk')
    await here.ask()
    here.advance(1_000_000)
    const instances = [here, here.anotherInstance(), here.anotherInstance()]
    const audits = await Promise.all(instances.map((one) => one.refreshExpiring(limits)))
    expect(here.calls).toHaveLength(2)
    expect(audits.map(({ failed }) => failed)).toEqual([0, 0, 0])
  })

  test('tells of failures, and passes over what waits for a person', async () => {
    await using here = await world('servicenow')
    await here.ask()
    here.advance(2_000_000)
    here.twin.control.fail({ operation: '^token$', times: 3, status: 503 })
    expect(await here.refreshExpiring(limits)).toMatchObject({ totalAttempted: 1, failed: 1 })
    here.advance(60_000)
    here.twin.control.families.revoke(refreshTokenOf(here))
    expect(await here.refreshExpiring(limits)).toMatchObject({ totalAttempted: 1, failed: 1 })
    expect(await here.refreshExpiring(limits)).toMatchObject({ totalAttempted: 0 })
    expect(here.told).toEqual(['cred-1 reauth_required'])
  })
})
