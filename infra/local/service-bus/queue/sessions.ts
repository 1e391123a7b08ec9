import { first, push } from './heap.ts'
import { forget, release, sessionOf, tick } from './lifecycle.ts'
import type { QueueState, Session } from './state.ts'

/** Locks a session for `holder`: the one with that id, or the next that has a message; undefined when there is none free. */
export function acceptSession<P>(
  queue: QueueState<P>,
  wish: { readonly id: string | undefined; readonly holder: string },
  now: number,
): Session | undefined {
  tick(queue, now)
  const session = wish.id === undefined ? nextSession(queue) : sessionOf(queue, wish.id)
  if (!session || session.holder !== undefined) return undefined
  session.holder = wish.holder
  extend(queue, session, now)
  return session
}

/** Sessions take turns: the one that has waited longest for a holder comes first. */
function nextSession<P>(queue: QueueState<P>): Session | undefined {
  for (const session of queue.sessions.values()) {
    if (session.holder !== undefined || first(session.ready) === undefined) continue
    queue.sessions.delete(session.id)
    queue.sessions.set(session.id, session)
    return session
  }
  return undefined
}

/** The session, if it is locked, and by `holder` when one is named. */
export function heldSession<P>(
  queue: QueueState<P>,
  who: { readonly id: string; readonly holder: string | undefined },
  now: number,
): Session | undefined {
  tick(queue, now)
  const session = queue.sessions.get(who.id)
  if (session?.holder === undefined) return undefined
  return who.holder === undefined || who.holder === session.holder ? session : undefined
}

/** Locks the session anew from now; tells until when. */
export function extend<P>(queue: QueueState<P>, session: Session, now: number): number {
  session.untilMs = now + queue.rules.lockDurationMs
  session.updatedMs = now
  push(queue.deadlines, { kind: 'session', atMs: session.untilMs, sessionId: session.id })
  return session.untilMs
}

/** Gives the session back before its lock ends; nothing happens if `holder` has lost it already. */
export function releaseSession<P>(
  queue: QueueState<P>,
  who: { readonly id: string; readonly holder: string },
  now: number,
): void {
  const session = heldSession(queue, who, now)
  if (session) release(queue, session, now)
}

/** Bytes that outlive messages and holders; undefined forgets them. */
export function setSessionState<P>(
  queue: QueueState<P>,
  session: Session,
  change: { readonly state: Buffer | undefined; readonly now: number },
): void {
  session.state = change.state
  session.updatedMs = change.now
  forget(queue, session)
}

/** Ids of sessions that have a message or a state, changed after `sinceMs`. */
export function listSessions<P>(
  queue: QueueState<P>,
  page: { readonly sinceMs: number; readonly skip: number; readonly top: number },
): readonly string[] {
  return [...queue.sessions.values()]
    .filter(({ messages, state, updatedMs }) =>
      page.sinceMs > 0 ? updatedMs > page.sinceMs : messages > 0 || state !== undefined,
    )
    .map(({ id }) => id)
    .slice(page.skip, page.skip + page.top)
}
