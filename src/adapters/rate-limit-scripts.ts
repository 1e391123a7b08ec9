import type { sharing } from '../rate-limit/bucket.ts'
import type { learning } from '../rate-limit/learned.ts'

/** The numbers of the pure functions that the scripts say again. */
export interface LimitNumbers {
  readonly sharing: typeof sharing
  readonly learning: typeof learning
}

/**
 * The server's own time unless the caller brings one (tests do). Numbers are kept as eight bytes each: to write and to read
 * their digits would cost as much as a decision. What has another length than it should counts as nothing.
 */
const PRELUDE = `
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local max, min, ceil, floor = math.max, math.min, math.ceil, math.floor
local function expiry(ms) return ceil(max(0, ms)) + 1000 end
local LAYOUTS = { '<d', '<dd', '<ddd', '<dddd', '<ddddd', '<dddddd', '<ddddddd' }
local function written(values) return struct.pack(LAYOUTS[#values], unpack(values)) end
local function read(bytes)
  local layout = bytes and LAYOUTS[#bytes / 8]
  if not layout then return {} end
  local values = { struct.unpack(layout, bytes) }
  values[#values] = nil -- where the bytes end
  return values
end`

/**
 * `decide` of rate-limit/bucket.ts for several calls, one after the other, in one step. What calls of one batch share is
 * read and written once.
 *
 * KEYS: every key of the batch, once. ARGV: now or nothing, and the JSON of [the gates of the batch, each once, calls]. A
 * gate is [the place of its key in KEYS, interval, allowance, 0 or 1 for shared, 0 or 1 for learns] or [the place, limit,
 * part, period]; a call [tenant, cost, patience, whether it queues, the places in KEYS of learned, queue, shared queue,
 * share and contenders (0 where it needs none), and of its gates among the gates].
 * Answers two integers for each call: microseconds, and what they are: the delay (-2), or the wait for a gate (from 1), a
 * pause (0) or a share (-1).
 */
export const takeScript = ({ sharing: s, learning: l }: LimitNumbers): string => `${PRELUDE}
local stored = redis.call('MGET', unpack(KEYS))
local cells, dirty = {}, {}
local function cell(key)
  local found = cells[key]
  if not found then
    found = read(stored[key])
    cells[key] = found
  end
  return found
end
local function keep(key, lives, a, b, c)
  local values = cell(key)
  values[1], values[2], values[3] = a, b, c
  dirty[key] = lives
end
local awaited = {}
local function isAwaited(contenders)
  if awaited[contenders] == nil then
    awaited[contenders] = redis.call('EXISTS', contenders) == 1
    if awaited[contenders] then
      redis.call('ZREMRANGEBYSCORE', contenders, '-inf', '(' .. string.format('%.17g', now))
    end
  end
  return awaited[contenders]
end
local asked = cjson.decode(ARGV[2])
local allGates = asked[1]
local UNLEARNED = { 0, 1, 0, 0, 0, 0 }

local function decide(call)
  local tenant, cost, patience, queues = call[1], call[2], call[3], call[4] == 1
  local learned = cell(call[5])
  if not learned[6] then learned = UNLEARNED end
  local shareKey, contenders, gates = call[8], KEYS[call[9]], {}
  for at = 10, #call do gates[at - 9] = allGates[call[at]] end

  local others, contends = 0, false
  if tenant ~= '' and isAwaited(contenders) then
    contends = redis.call('ZSCORE', contenders, tenant) and true or false
    others = redis.call('ZCARD', contenders) - (contends and 1 or 0)
  end

  local intervals, tightest, learner = {}, 0, nil
  for index, gate in ipairs(gates) do
    intervals[index] = 0
    if gate[5] then
      local interval = gate[2]
      if gate[5] == 1 then
        learner = learner or index
        interval = interval / min(1, learned[2] + max(0, now - learned[3]) / ${l.RECOVERY_MS})
        if now < learned[5] then interval = max(interval, learned[4]) end
      end
      intervals[index] = interval
      if gate[4] == 1 then tightest = max(tightest, interval) end
    end
  end

  local shareInterval = tightest * (others + 1) / ${s.OVERSUBSCRIPTION}
  local lightInterval = max(shareInterval, tightest / ${s.LIGHT_PART})
  local ahead, recent = 0, 0
  local share = tenant ~= '' and cell(shareKey) or {}
  if share[1] and tightest > 0 then
    local passed = max(0, now - share[3])
    ahead = max(0, share[1] - passed / shareInterval)
    recent = max(0, share[2] - passed / lightInterval)
  end
  ahead, recent = ahead + cost, recent + cost
  local within = recent <= ${s.CREDIT + s.TINY_CALLS}
  local contested = not within and others > 0
  if not within then patience = 0 end

  local pause = max(0, learned[1] - now)
  local delay, refused, sharedWaits = pause, false, false
  local longest, spacing, level, levelShared = -1, 0, 0, false
  local function wait(ms, apart, index, shared)
    sharedWaits = sharedWaits or shared
    if ms > longest then longest, spacing, level, levelShared = ms, apart, index, shared end
  end
  local after = {}
  for index, gate in ipairs(gates) do
    local key, a, b = gate[1], gate[2], gate[3]
    local state = cell(key)
    if gate[5] then
      local interval, shared = intervals[index], gate[4] == 1
      local allowance = max(cost, (shared and not within) and b * ${s.OVER_SHARE_PART} or b)
      local due = max(state[1] or 0, now) + cost * interval
      local ms = due - allowance * interval - now
      if ms < ${s.TINY_MS} then ms = 0 end
      delay = max(delay, ms)
      if ms > patience then wait(ms, interval * cost / ${s.OVERSUBSCRIPTION}, index, shared) end
      after[index] = { key, due - now, due }
    else
      local period = gate[4]
      local start = floor(now / period) * period
      local spent = (state[1] == start and state[2] or 0) + cost
      local most = (learned[6] > 0 and min(a, learned[6]) or a) * b
      if spent > most then
        refused = true
        wait(start + period - now, period / a, index, false)
      end
      after[index] = { key, start + period - now, start, spent }
    end
  end

  local overShare = contested and ahead > ${s.LEAD + s.TINY_CALLS}
  if not overShare and not refused and delay <= patience + ${s.TINY_MS} then
    for _, change in ipairs(after) do
      keep(change[1], change[2], change[3], change[4])
    end
    if tenant ~= '' then
      if others == 0 then ahead = min(${s.CREDIT}, ahead) end
      recent = min(${s.LEAD}, recent)
      local lives = max(ahead * shareInterval, recent * lightInterval)
      keep(shareKey, lives, ahead, recent, now)
      if contends then redis.call('ZADD', contenders, now + ${s.GRACE_MS}, tenant) end
    end
    return ceil(delay * 1000), -2
  end

  if pause > patience then wait(pause, learner and intervals[learner] or 0, 0, false) end
  local due = (ahead - ${s.CREDIT}) * shareInterval
  if contested and due > 0 and (overShare or sharedWaits) then
    local apart = tightest * max(1, others) / ${s.OVERSUBSCRIPTION}
    wait(min(${s.MAX_SHARE_WAIT_MS}, due), apart, -1, false)
  end
  local queue = call[(levelShared and within) and 7 or 6]
  local place = longest
  if queues then place = max(longest, (cell(queue)[1] or 0) - now) end
  local ms = min(${s.MAX_WAIT_MS}, place)
  if queues then keep(queue, ms + spacing, now + ms + spacing) end
  if tenant ~= '' and (levelShared or level == -1) then
    redis.call('ZADD', contenders, now + ms + ${s.GRACE_MS}, tenant)
    awaited[contenders] = true
    redis.call('PEXPIRE', contenders, expiry(${s.MAX_WAIT_MS + s.GRACE_MS}))
  end
  return ceil(ms * 1000), level
end

local answers = {}
for index, call in ipairs(asked[2]) do
  answers[index * 2 - 1], answers[index * 2] = decide(call)
end
for key, lives in pairs(dirty) do
  local values = cells[key]
  redis.call('SET', KEYS[key], written(values), 'PX', expiry(lives))
end
return answers
`

/**
 * `learn` of rate-limit/learned.ts. KEYS: learned, budget. ARGV: now or nothing, whether refused, how long to pause, pace,
 * for how long, day's use, day's limit, the budget's period (each nothing where the answer said nothing).
 */
export const learnScript = ({ learning: l }: LimitNumbers): string => `${PRELUDE}
local learned = read(redis.call('GET', KEYS[1]))
if not learned[6] then learned = { 0, 1, 0, 0, 0, 0 } end
learned[7] = learned[7] or 0
local function given(index) return tonumber(ARGV[index]) end
local factor = min(1, learned[2] + max(0, now - learned[3]) / ${l.RECOVERY_MS})
local cut = ARGV[2] == '1' and now >= learned[3]
if cut then learned[2] = max(${l.FLOOR}, factor * ${l.CUT}) end
if cut and not given(3) then
  local calm = learned[7] == 0 or now - learned[3] > max(${l.CALM_MS}, learned[7])
  learned[7] = calm and ${l.GUESS_MS} or min(${l.LONGEST_GUESS_MS}, learned[7] * ${l.GUESS_GROWTH})
  learned[1] = max(learned[1], now + learned[7])
end
if given(3) then learned[1] = max(learned[1], now + given(3)) end
if cut then learned[3] = max(now + ${l.EPISODE_MS}, learned[1]) end
if given(5) then learned[4], learned[5] = given(4), now + given(5) end
learned[6] = given(7) or learned[6]
redis.call('SET', KEYS[1], written(learned), 'PX', '172800000')
local used, period = given(6), given(8)
if used and period then
  local start = floor(now / period) * period
  local budget = read(redis.call('GET', KEYS[2]))
  local spent = max(budget[1] == start and budget[2] or 0, used)
  redis.call('SET', KEYS[2], written({ start, spent }), 'PX', expiry(start + period - now))
end
return 1
`
