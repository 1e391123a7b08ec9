import { odata, WebPubSubServiceClient } from '@azure/web-pubsub'
import { WebPubSubJsonProtocol } from '@azure/web-pubsub-client'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { webPubSub } from './stock.ts'

const END = 'end'

test('a message to the hub, a user, a group, a connection reaches exactly those', async () => {
  await using hub = await webPubSub()
  const ann = await hub.connect({ userId: 'ann', groups: ['blue'] })
  const bob = await hub.connect({ userId: 'bob', groups: ['blue', 'red'] })
  const anonymous = await hub.connect({}, { protocol: WebPubSubJsonProtocol() })
  await hub.service.sendToUser('ann', 'to ann')
  await hub.service.group('red').sendToAll('to red')
  await hub.service.group('blue').sendToAll('to blue', { excludedConnections: [bob.connectionId] })
  await hub.service.sendToConnection(anonymous.connectionId, 'to one connection')
  await hub.service.sendToUser('nobody', 'lost')
  await hub.service.sendToAll(END)
  const texts = async ({ received }: typeof ann) => {
    const seen: unknown[] = []
    for (let { data } = await received.next(); data !== END; { data } = await received.next())
      seen.push(data)
    return seen
  }
  expect(await Promise.all([ann, bob, anonymous].map(texts))).toEqual([
    ['to ann', 'to blue'],
    ['to red'],
    ['to one connection'],
  ])
})

test('text, JSON and octets arrive as what they were', async () => {
  await using hub = await webPubSub()
  const { received } = await hub.connect()
  await hub.service.sendToAll('plain', { contentType: 'text/plain' })
  await hub.service.sendToAll({ nested: [1, null] })
  await hub.service.sendToAll(new Uint8Array([0, 255]).buffer)
  expect(await received.next()).toMatchObject({ dataType: 'text', data: 'plain' })
  expect(await received.next()).toMatchObject({ dataType: 'json', data: { nested: [1, null] } })
  const { data } = await received.next()
  expect(data instanceof ArrayBuffer && [...new Uint8Array(data)]).toEqual([0, 255])
})

test('a filter picks connections by user and group; an unknown one is refused in the service’s words', async () => {
  await using hub = await webPubSub()
  const ann = await hub.connect({ userId: 'ann', groups: ['blue'] })
  const bob = await hub.connect({ userId: 'bob' })
  await hub.service.sendToAll('x', { filter: odata`userId eq ${'ann'} and ${'blue'} in groups` })
  await hub.service.sendToAll('y', { filter: "not ('blue' in groups)" })
  expect((await ann.received.next()).data).toBe('x')
  expect((await bob.received.next()).data).toBe('y')
  const refused = hub.service.sendToAll('z', { filter: 'invalid filter' })
  await expect(refused).rejects.toMatchObject({
    statusCode: 400,
    details: {
      message:
        "Invalid syntax for 'invalid filter': Syntax error at position 14 in 'invalid filter'. (Parameter 'filter')",
    },
  })
})

describe('groups through the service', () => {
  test('connections and present users join and leave; later connections do not inherit', async () => {
    await using hub = await webPubSub()
    const { connectionId } = await hub.connect({ userId: 'ann' })
    const group = hub.service.group('team/a b')
    const exists = () => hub.service.groupExists('team/a b')
    expect(await exists()).toBe(false)
    await group.addUser('ann')
    await hub.connect({ userId: 'ann' })
    const members = await group.listConnections()
    expect((await members.byPage().next()).value).toEqual([{ connectionId, userId: 'ann' }])
    await group.removeUser('ann')
    expect(await exists()).toBe(false)
    await group.addConnection(connectionId)
    expect(await exists()).toBe(true)
    await group.removeConnection(connectionId)
    await group.addConnection(connectionId)
    await hub.service.removeConnectionFromAllGroups(connectionId)
    expect(await exists()).toBe(false)
    await expect(group.addConnection('nobody')).rejects.toMatchObject({ statusCode: 404 })
    await expect(group.addUser('nobody')).rejects.toMatchObject({ statusCode: 404 })
    await hub.service.removeUserFromAllGroups('nobody')
  })

  test('a filter moves connections in and out of several groups', async () => {
    await using hub = await webPubSub()
    await hub.connect({ userId: 'ann' })
    await hub.service.addConnectionsToGroups(['a', 'b'], "userId eq 'ann'")
    expect(await hub.service.groupExists('b')).toBe(true)
    await hub.service.removeConnectionsFromGroups(['b'], "userId eq 'ann'")
    expect([await hub.service.groupExists('a'), await hub.service.groupExists('b')]).toEqual([
      true,
      false,
    ])
    await expect(hub.service.addConnectionsToGroups(['a'], 'no')).rejects.toMatchObject({
      statusCode: 400,
    })
  })

  test.for([
    { top: 6, size: undefined, pages: [6] },
    { top: 3, size: undefined, pages: [3] },
    { top: undefined, size: 2, pages: [2, 2, 2] },
    { top: 5, size: 2, pages: [2, 2, 1] },
  ])('six members in pages: top $top, page size $size', async ({ top, size, pages }) => {
    await using hub = await webPubSub()
    for (let count = 0; count < 6; count += 1) await hub.connect({ groups: ['g'] })
    const options = {
      ...(top === undefined ? {} : { top }),
      ...(size === undefined ? {} : { maxPageSize: size }),
    }
    const lengths: number[] = []
    const members = await hub.service.group('g').listConnections(options)
    for await (const page of members.byPage()) lengths.push(page.length)
    expect(lengths).toEqual(pages)
  })
})

test('users and connections exist while connected, and closing says why', async () => {
  await using hub = await webPubSub()
  const options = { autoReconnect: false }
  const ann = await hub.connect({ userId: 'ann' }, options)
  const bob = await hub.connect({ userId: 'bob', groups: ['g'] }, options)
  const eve = await hub.connect({ userId: 'eve' }, options)
  expect(await hub.service.userExists('ann')).toBe(true)
  expect(await hub.service.connectionExists(ann.connectionId)).toBe(true)
  await hub.service.closeConnection(ann.connectionId, { reason: 'over' })
  expect(await ann.disconnections.next()).toBe('over')
  expect(await hub.service.userExists('ann')).toBe(false)
  expect(await hub.service.connectionExists(ann.connectionId)).toBe(false)
  await hub.service.group('g').closeAllConnections()
  await bob.disconnections.next()
  const allButEve = { reason: 'over', excluded: [eve.connectionId] }
  await hub.service.closeAllConnections(allButEve)
  expect(await hub.service.userExists('eve')).toBe(true)
  await hub.service.closeUserConnections('eve')
  await eve.disconnections.next()
})

describe('permissions', () => {
  test('a client joins and publishes only where its roles allow', async () => {
    await using hub = await webPubSub()
    const { client } = await hub.connect({ roles: ['webpubsub.joinLeaveGroup.mine'] })
    await client.joinGroup('mine')
    await expect(client.joinGroup('other')).rejects.toMatchObject({
      errorDetail: { name: 'Forbidden' },
    })
    await expect(client.sendToGroup('mine', 'x', 'text')).rejects.toMatchObject({
      errorDetail: { name: 'Forbidden' },
    })
  })

  test('they are granted, checked and revoked while the client is connected', async () => {
    await using hub = await webPubSub()
    const { client, connectionId } = await hub.connect()
    const target = { targetName: 'g' }
    await hub.service.grantPermission(connectionId, 'joinLeaveGroup', target)
    expect(await hub.service.hasPermission(connectionId, 'joinLeaveGroup', target)).toBe(true)
    expect(await hub.service.hasPermission(connectionId, 'joinLeaveGroup')).toBe(false)
    await client.joinGroup('g')
    await hub.service.revokePermission(connectionId, 'joinLeaveGroup', target)
    await expect(client.leaveGroup('g')).rejects.toThrow()
    await hub.service.revokePermission('nobody', 'joinLeaveGroup')
    await expect(hub.service.grantPermission('nobody', 'sendToGroup')).rejects.toMatchObject({
      statusCode: 404,
    })
  })
})

test('what a client publishes reaches the group with its user id, and not itself when it says so', async () => {
  await using hub = await webPubSub()
  const ann = await hub.connect({ userId: 'ann', groups: ['g'], roles: ['webpubsub.sendToGroup'] })
  const bob = await hub.connect({ groups: ['g'] })
  await ann.client.sendToGroup('g', { n: 1 }, 'json', { noEcho: true })
  await ann.client.sendToGroup('g', new Uint8Array([7]).buffer, 'binary')
  const first = { from: 'g', dataType: 'json', data: { n: 1 }, fromUserId: 'ann' }
  expect(await bob.received.next()).toEqual(first)
  expect((await bob.received.next()).dataType).toBe('binary')
  expect((await ann.received.next()).dataType).toBe('binary')
})

test('a request that comes twice with one ack id has its effect once', async () => {
  await using hub = await webPubSub()
  const { client, received } = await hub.connect({
    groups: ['g'],
    roles: ['webpubsub.sendToGroup'],
  })
  const first = await client.sendToGroup('g', 'once', 'text', { ackId: 7 })
  const second = await client.sendToGroup('g', 'once', 'text', { ackId: 7 })
  await client.sendToGroup('g', END, 'text')
  expect([first.isDuplicated, second.isDuplicated]).toEqual([false, true])
  expect([(await received.next()).data, (await received.next()).data]).toEqual(['once', END])
})

test('an event is acknowledged though nobody is upstream', async () => {
  await using hub = await webPubSub()
  const { client } = await hub.connect()
  expect(await client.sendEvent('typed', 'x', 'text')).toMatchObject({ isDuplicated: false })
})

test('an invocation is declined at once, for nobody is upstream, and the connection stays', async () => {
  await using hub = await webPubSub()
  const { client, received } = await hub.connect()
  await expect(client.invokeEvent('ask', 'x', 'text')).rejects.toThrow(/does not do this/)
  await hub.service.sendToAll(END)
  expect((await received.next()).data).toBe(END)
})

describe('a reliable client whose socket breaks', () => {
  test('recovers its connection and gets what was sent meanwhile, once and in order', async () => {
    await using hub = await webPubSub()
    const { connectionId, received } = await hub.connect({ groups: ['g'] })
    await hub.service.sendToAll('before')
    expect((await received.next()).data).toBe('before')
    hub.control.fail({ operation: 'connect', status: 503 })
    hub.control.dropClients()
    for (const text of ['one', 'two']) await hub.service.group('g').sendToAll(text)
    expect([(await received.next()).data, (await received.next()).data]).toEqual(['one', 'two'])
    expect(await hub.service.connectionExists(connectionId)).toBe(true)
    await hub.service.sendToAll(END)
    expect((await received.next()).data).toBe(END)
  })

  test('starts anew with a fresh url when it comes back after the recovery window', async () => {
    await using hub = await webPubSub()
    const first = await hub.connect({ userId: 'ann' })
    hub.control.fail({ operation: 'connect', status: 503 })
    hub.control.dropClients()
    await expect.poll(() => hub.control.calls()['connect']).toBeGreaterThanOrEqual(2)
    hub.control.clock.advance(30_001)
    expect(await hub.service.connectionExists(first.connectionId)).toBe(false)
    const next = await first.connections.next()
    expect(next).not.toBe(first.connectionId)
    await hub.service.sendToUser('ann', 'after')
    expect((await first.received.next()).data).toBe('after')
  })

  test('does not get a message again whose time to live has passed', async () => {
    await using hub = await webPubSub()
    const { received } = await hub.connect()
    hub.control.fail({ operation: 'connect', status: 503 })
    hub.control.dropClients()
    await expect.poll(() => hub.control.calls()['connect']).toBeGreaterThanOrEqual(2)
    await hub.service.sendToAll('stale', { messageTtlSeconds: 5 })
    await hub.service.sendToAll('fresh', { messageTtlSeconds: 60 })
    hub.control.clock.advance(10_000)
    expect((await received.next()).data).toBe('fresh')
  })
})

test('a client of the plain JSON protocol reconnects with a new connection', async () => {
  await using hub = await webPubSub()
  const first = await hub.connect({}, { protocol: WebPubSubJsonProtocol() })
  hub.control.dropClients()
  expect(await first.connections.next()).not.toBe(first.connectionId)
})

test('two hubs do not see each other, and a hub’s name has no case', async () => {
  await using hub = await webPubSub('Chat')
  const options = { allowInsecureConnection: true }
  const other = new WebPubSubServiceClient(hub.connectionString, 'other', options)
  const same = new WebPubSubServiceClient(hub.connectionString, 'chat', options)
  const { received } = await hub.connect({ userId: 'ann', groups: ['g'] })
  await other.sendToAll('elsewhere')
  await other.group('g').sendToAll('elsewhere')
  expect(await other.userExists('ann')).toBe(false)
  await same.sendToAll('here')
  expect((await received.next()).data).toBe('here')
})

describe('who may call', () => {
  test('another access key is refused on both sides', async () => {
    await using hub = await webPubSub()
    const forged = hub.connectionString.replace(/AccessKey=[^;]+/, 'AccessKey=another')
    const options = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } }
    const stranger = new WebPubSubServiceClient(forged, 'chat', options)
    await expect(stranger.sendToAll('x')).rejects.toMatchObject({ statusCode: 401 })
    const { url } = await stranger.getClientAccessToken({ userId: 'ann' })
    expect((await refusal(url)).message).toContain('401')
  })

  test('a client token for another hub, or one that has expired, opens nothing', async () => {
    await using hub = await webPubSub()
    const { url } = await hub.service.getClientAccessToken({ expirationTimeInMinutes: 1 })
    const elsewhere = url.replace('/hubs/chat', '/hubs/other')
    expect((await refusal(elsewhere)).message).toContain('401')
    hub.control.clock.advance(61_000)
    expect((await refusal(url)).message).toContain('401')
  })
})

test('a message over 1 MB is refused', async () => {
  await using hub = await webPubSub()
  const refused = hub.service.sendToAll('x'.repeat(1024 * 1024))
  await expect(refused).rejects.toMatchObject({ statusCode: 413 })
})

test('a planned fault strikes one operation', async () => {
  await using hub = await webPubSub()
  hub.control.fail({ operation: 'sendToGroup', status: 503 })
  await hub.service.sendToAll('x')
  await expect(hub.service.group('g').sendToAll('x')).rejects.toMatchObject({ statusCode: 503 })
  await hub.service.group('g').sendToAll('x')
  expect(hub.control.calls()).toEqual({ sendToAll: 1, sendToGroup: 2 })
})

/** The error with which the upgrade fails. */
function refusal(url: string): Promise<Error> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.on('error', resolve).on('open', () => {
      socket.terminate()
      reject(new Error('the socket opened'))
    })
  })
}
