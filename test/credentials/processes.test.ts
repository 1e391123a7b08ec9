import { describe, expect, test } from 'vitest'
import { openWorkerAccess } from './settler.ts'
import { startCloud, startWorker, type Worker } from './cloud.ts'
import type { ProfileName } from '../../infra/local/oauth/profiles.ts'

const PROCESSES = 8
const CALLERS = 125

test.for([
  { answersAfterMs: 0, name: 'answers at once' },
  { answersAfterMs: 25_000, name: 'answers in 25 s while a lease lasts 10 s' },
])(
  'S47, S48: a thousand callers in eight processes share one refresh of a provider that $name',
  { timeout: 120_000 },
  async ({ answersAfterMs }) => {
    await using cloud = await startCloud('zendesk')
    const request = await cloud.connect('cred-1')
    const { control } = cloud.provider
    if (answersAfterMs > 0) control.fail({ operation: '^token$', delayMs: answersAfterMs })
    await using running = new AsyncDisposableStack()
    const workers = Array.from({ length: PROCESSES }, () =>
      running.use(startWorker(cloud, { request, callers: CALLERS, steps: false, leaseMs: 10_000 })),
    )
    await Promise.all(workers.map((worker) => worker.next()))
    for (const worker of workers) worker.go()
    const reports = await Promise.all(workers.map((worker) => worker.next()))
    const { document, secret } = await cloud.read('cred-1')
    expect(control.calls()['token']).toBe(1)
    expect(reports.map((report) => report?.answers)).toEqual(
      Array.from({ length: PROCESSES }, () => ({ [`Bearer ${secret.accessToken}`]: CALLERS })),
    )
    expect(document).toMatchObject({ refreshCount: 1, lease: null, intent: null })
    expect(control.families.isLiveRefresh(secret.refreshToken)).toBe(true)
  },
)

/** Lets a worker go on until it has said so many things, then kills it; undefined when it ended before. */
async function killAfter(worker: Worker, steps: number): Promise<string | undefined> {
  await worker.next()
  worker.go()
  for (let said = 1; ; said += 1) {
    const message = await worker.next()
    if (message?.at === undefined) return undefined
    if (said === steps) {
      await worker.kill()
      return message.at
    }
    worker.go()
  }
}

const vendors: readonly { profile: ProfileName; mayAsk: boolean }[] = [
  { profile: 'servicenow', mayAsk: false },
  { profile: 'atlassian', mayAsk: false },
  { profile: 'zendesk', mayAsk: true },
]

describe.for(vendors)('S49: an instance of $profile that is killed', ({ profile, mayAsk }) => {
  test(
    'at any step leaves nothing that the next one cannot settle',
    { timeout: 120_000 },
    async () => {
      await using cloud = await startCloud(profile)
      const { control } = cloud.provider
      const seen: Record<string, string> = {}
      for (let step = 1; ; step += 1) {
        const id = `cred-${step}`
        const request = await cloud.connect(id)
        await using worker = startWorker(cloud, {
          request,
          callers: 1,
          steps: true,
          leaseMs: 10_000,
        })
        const at = await killAfter(worker, step)
        const settler = openWorkerAccess(cloud)
        const answer = await settler.ask(request)
        const { document, secret } = await cloud.read(id)
        const isLive = control.families.isLiveRefresh(secret.refreshToken)
        seen[`${step} ${at ?? 'not at all'}`] =
          `${answer.kind}, ${document.needsReauth ? 'asked' : isLive ? 'live' : 'dead'}, told ${settler.notices.length}`
        if (at === undefined) break
      }
      expect(control.families.replayed()).toBe(0)
      const isSettled = (outcome: string) =>
        outcome === 'authorized, live, told 0' || (mayAsk && outcome === 'refused, asked, told 1')
      expect(Object.entries(seen).filter(([, outcome]) => !isSettled(outcome))).toEqual([])
      // The call, its two writes around it, and the vault, each before and after.
      expect(Object.keys(seen)).toEqual([
        '1 before write',
        '2 after write',
        '3 before fetch',
        '4 after fetch',
        '5 before set',
        '6 after set',
        '7 before write',
        '8 after write',
        '9 not at all',
      ])
      const asked = Object.keys(seen).filter((step) => seen[step]?.startsWith('refused'))
      // From the claim to the vault nobody can know what became of a token that works once.
      expect(asked).toEqual(
        mayAsk ? ['2 after write', '3 before fetch', '4 after fetch', '5 before set'] : [],
      )
    },
  )
})
