import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addUser,
  audience,
  createHub,
  enter,
  leave,
  removeUser,
  type Member,
} from '../../../infra/local/realtime/hub.ts'
import { expel, publish, receive } from '../../../infra/local/realtime/web-pubsub-hub.ts'
import {
  acknowledge,
  createSession,
  MAX_REMEMBERED_ACKS,
  MAX_UNACKNOWLEDGED,
  MAX_UNACKNOWLEDGED_BYTES,
  RELIABLE_PROTOCOL,
  replay,
  roleFor,
  type Session,
} from '../../../infra/local/realtime/web-pubsub-session.ts'

const payload = { dataType: 'text', data: 'x' } as const

function reliable(id = 'c1'): Session {
  return createSession({
    id,
    userId: 'ann',
    protocol: RELIABLE_PROTOCOL,
    reconnectionToken: 't',
    groups: ['g'],
    roles: [roleFor('sendToGroup')],
  })
}

function hubWith(...sessions: Session[]) {
  const hub = createHub<Session>()
  for (const session of sessions) enter(hub, session, 0)
  return hub
}

const sequenceIds = (frames: readonly string[]) =>
  frames.map((frame) => Number(/"sequenceId":(\d+)/.exec(frame)?.[1]))

describe('a reliable session', () => {
  test('replays exactly what is not acknowledged, in order, whatever was sent and acknowledged', () => {
    const step = fc.oneof(fc.constant('send' as const), fc.nat({ max: 40 }))
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const session = reliable()
        const hub = hubWith(session)
        let acknowledged = 0
        for (const each of steps) {
          if (each === 'send') publish(hub, { to: [session], payload })
          else acknowledge(session, each)
          if (each !== 'send')
            acknowledged = Math.max(acknowledged, Math.min(each, session.lastSequenceId))
        }
        const expected = Array.from(
          { length: session.lastSequenceId - acknowledged },
          (_, index) => acknowledged + 1 + index,
        )
        expect(sequenceIds(replay(session, 0))).toEqual(expected)
      }),
    )
  })

  test('forgets a message whose time has come', () => {
    const session = reliable()
    const hub = hubWith(session)
    publish(hub, { to: [session], payload, expiresAtMs: 10 })
    publish(hub, { to: [session], payload })
    expect(sequenceIds(replay(session, 9))).toEqual([1, 2])
    expect(sequenceIds(replay(session, 10))).toEqual([2])
  })

  test.for([
    ['messages', MAX_UNACKNOWLEDGED, payload],
    ['bytes', 16, { dataType: 'text', data: 'x'.repeat(MAX_UNACKNOWLEDGED_BYTES / 16 - 100) }],
  ] as const)(
    'ends with code 1008 when it leaves too many %s unacknowledged',
    ([, fits, payload]) => {
      const session = reliable()
      const hub = hubWith(session)
      for (let sent = 0; sent < fits; sent += 1) publish(hub, { to: [session], payload })
      expect(hub.members.size).toBe(1)
      const longer = { ...payload, data: payload.data + 'x'.repeat(2_000) }
      const effects = publish(hub, { to: [session], payload: longer })
      expect(effects).toMatchObject([{ does: 'close', code: 1008 }])
      expect(hub.members.size).toBe(0)
    },
  )

  test('remembers a bounded number of ack ids', () => {
    const session = reliable()
    const hub = hubWith(session)
    for (let ackId = 0; ackId <= MAX_REMEMBERED_ACKS; ackId += 1)
      receive(hub, session, { type: 'event', event: 'e', dataType: 'text', data: '', ackId })
    expect(session.handledAcks.size).toBe(MAX_REMEMBERED_ACKS)
    expect(session.handledAcks.has(0)).toBe(false)
  })
})

test('a forbidden request is not remembered: with the role it may come again', () => {
  const session = reliable()
  const hub = hubWith(session)
  const join = { type: 'joinGroup', group: 'other', ackId: 1 } as const
  const answer = () =>
    JSON.stringify(
      receive(hub, session, join).map((effect) => effect.does === 'send' && effect.frame),
    )
  expect(answer()).toContain('Forbidden')
  session.roles.add(roleFor('joinLeaveGroup', 'other'))
  expect(answer()).toContain('true')
  expect(answer()).toContain('Duplicate')
  expect(session.groups.has('other')).toBe(true)
})

test('an expelled session is gone before its socket is', () => {
  const [first, second] = [reliable('c1'), reliable('c2')]
  const hub = hubWith(first, second)
  expel(hub, [first], 'over')
  expect(audience(hub, {})).toEqual([second])
})

describe('groups of users', () => {
  const member = (id: string, userId?: string): Member => ({ id, userId, groups: new Set() })

  test('whatever joins and leaves, a group is what its members say', () => {
    const ids = fc.constantFrom('a', 'b', 'c')
    const command = fc.record({
      does: fc.constantFrom('enter', 'leave', 'add', 'remove', 'removeAll'),
      id: ids,
      user: fc.constantFrom('ann', 'bob'),
      group: fc.constantFrom('g', 'h'),
    })
    fc.assert(
      fc.property(fc.array(command), (commands) => {
        const hub = createHub<Member>()
        const memberships = new Set<string>()
        for (const { does, id, user, group } of commands) {
          if (does === 'enter') enter(hub, member(id, user), 0)
          if (does === 'leave') leave(hub, member(id))
          if (does === 'add') addUser(hub, { user, group, untilMs: 1 })
          if (does === 'add') memberships.add(`${user} ${group}`)
          if (does === 'remove') removeUser(hub, user, group)
          if (does === 'remove') memberships.delete(`${user} ${group}`)
          if (does === 'removeAll') removeUser(hub, user)
          if (does === 'removeAll') for (const group of 'gh') memberships.delete(`${user} ${group}`)
        }
        for (const { userId, groups } of audience(hub, {}))
          expect([...groups].sort()).toEqual(
            ['g', 'h'].filter((group) => memberships.has(`${userId} ${group}`)),
          )
      }),
    )
  })

  test('a membership that has run out keeps its connections and takes no new ones', () => {
    const hub = createHub<Member>()
    enter(hub, member('early', 'ann'), 0)
    addUser(hub, { user: 'ann', group: 'g', untilMs: 10 })
    enter(hub, member('in time', 'ann'), 9)
    enter(hub, member('late', 'ann'), 10)
    expect(audience(hub, { group: 'g' }).map(({ id }) => id)).toEqual(['early', 'in time'])
  })
})
