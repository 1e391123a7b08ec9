/** A client connection as both services know it. */
export interface Member {
  readonly id: string
  /** Absent for an anonymous client. */
  readonly userId: string | undefined
  readonly groups: Set<string>
}

/** The connections of one hub. Hubs never see each other. */
export interface Hub<M extends Member> {
  readonly members: Map<string, M>
  /** user → group → instant (ms) until which a *new* connection of that user still joins the group. */
  readonly memberships: Map<string, Map<string, number>>
}

/** Whom a call means; the ids are the path parameters of both REST APIs. */
export interface Target {
  readonly user?: string
  readonly group?: string
  readonly connection?: string
}

export function createHub<M extends Member>(): Hub<M> {
  return { members: new Map(), memberships: new Map() }
}

/** Hub names are case-insensitive; a hub exists as soon as somebody names it. */
export function hubNamed<M extends Member>(hubs: Map<string, Hub<M>>, name: string): Hub<M> {
  const key = name.toLowerCase()
  const hub = hubs.get(key) ?? createHub<M>()
  hubs.set(key, hub)
  return hub
}

/** Takes a connection in, with the groups that its user has at this instant. */
export function enter<M extends Member>(hub: Hub<M>, member: M, nowMs: number): void {
  hub.members.set(member.id, member)
  for (const [group, untilMs] of hub.memberships.get(member.userId ?? '') ?? []) {
    if (nowMs < untilMs) member.groups.add(group)
  }
}

export function leave<M extends Member>(hub: Hub<M>, member: M): void {
  hub.members.delete(member.id)
}

/** The connections that a call means: of one connection id, one user, one group, or all. */
export function audience<M extends Member>(
  hub: Hub<M>,
  { connection, user, group }: Target,
): readonly M[] {
  if (connection !== undefined) {
    const member = hub.members.get(connection)
    return member ? [member] : []
  }
  const members = [...hub.members.values()]
  if (user !== undefined) return members.filter(({ userId }) => userId === user)
  if (group !== undefined) return members.filter(({ groups }) => groups.has(group))
  return members
}

/** Puts a user's present connections into the group, and the ones that come until `untilMs`. */
export function addUser<M extends Member>(
  hub: Hub<M>,
  { user, group, untilMs }: { user: string; group: string; untilMs: number },
): void {
  for (const { groups } of audience(hub, { user })) groups.add(group)
  const memberships = hub.memberships.get(user) ?? new Map<string, number>()
  hub.memberships.set(user, memberships.set(group, untilMs))
}

/** Takes a user's present and later connections out of one group, or out of all. */
export function removeUser<M extends Member>(hub: Hub<M>, user: string, group?: string): void {
  for (const { groups } of audience(hub, { user })) {
    if (group === undefined) groups.clear()
    else groups.delete(group)
  }
  if (group === undefined) hub.memberships.delete(user)
  else hub.memberships.get(user)?.delete(group)
}

export function isUserInGroup<M extends Member>(
  hub: Hub<M>,
  { user, group, nowMs }: { user: string; group: string; nowMs: number },
): boolean {
  const untilMs = hub.memberships.get(user)?.get(group)
  if (untilMs !== undefined && nowMs < untilMs) return true
  return audience(hub, { user }).some(({ groups }) => groups.has(group))
}
