import type { sharing } from '../rate-limit/bucket.ts'
import type { learning } from '../rate-limit/learned.ts'

/** The numbers of the pure functions that the scripts say again. */
export interface LimitNumbers {
  readonly sharing: typeof sharing
  readonly learning: typeof learning
}

/** The server's own time unless the caller brings one (tests do). */
const CLOCK = `
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local function number(value) return string.format('%.17g', value) end
local function expiry(ms) return string.format('%.0f', math.max(0, ms) + 1000) end
local function split(text)
  local parts = {}
  for part in string.gmatch(text or '', '[^ ]+') do parts[#parts + 1] = tonumber(part) end
  return parts
end`

/**
 * \`decide\` of rate-limit/bucket.ts over the keys' state, in one step.
 *
 * KEYS: learned, queue, shared queue, share, contenders, then one per gate.
 * ARGV: now or nothing, tenant, cost, patience, whether it queues; then per gate either 'p', interval, allowance, flags
 * (1 shared, 2 learns) or 'b', limit, part, period.
 * Answers the delay in microseconds, or { wait in microseconds, index of the gate; 0 the pause, -1 the share }.
 */
export const takeScript = ({ sharing: s, learning: l }: LimitNumbers): string => `${CLOCK}
local tenant, cost, patience, queues = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1'
local stored = redis.call('MGET', unpack(KEYS))
local learned = stored[1] and split(stored[1]) or { 0, 1, 0, 0, 0, 0 }

local function paced(interval)
  local factor = math.min(1, learned[2] + math.max(0, now - learned[3]) / ${l.RECOVERY_MS})
  if now < learned[5] then return math.max(interval / factor, learned[4]) end
  return interval / factor
end

local others, contends = 0, false
if tenant ~= '' and redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', '(' .. number(now))
  contends = redis.call('ZSCORE', KEYS[5], tenant) and true or false
  others = redis.call('ZCARD', KEYS[5]) - (contends and 1 or 0)
end

local intervals, tightest, learner = {}, 0, nil
for gate = 1, #KEYS - 5 do
  local at = 6 + (gate - 1) * 4
  intervals[gate] = 0
  if ARGV[at] == 'p' then
    local flags = ARGV[at + 3]
    intervals[gate] = tonumber(ARGV[at + 1])
    if flags == '2' or flags == '3' then
      intervals[gate] = paced(intervals[gate])
      learner = learner or gate
    end
    if flags == '1' or flags == '3' then tightest = math.max(tightest, intervals[gate]) end
  end
end

local shareInterval = tightest * (others + 1) / ${s.OVERSUBSCRIPTION}
local lightInterval = math.max(shareInterval, tightest / ${s.LIGHT_PART})
local ahead, recent = 0, 0
if stored[4] and tightest > 0 then
  local share = split(stored[4])
  local passed = math.max(0, now - share[3])
  ahead = math.max(0, share[1] - passed / shareInterval)
  recent = math.max(0, share[2] - passed / lightInterval)
end
ahead, recent = ahead + cost, recent + cost
local within = recent <= ${s.CREDIT + s.TINY_CALLS}
local contested = not within and others > 0
if not within then patience = 0 end

local pause = math.max(0, learned[1] - now)
local delay, refused, sharedWaits = pause, false, false
local longest, spacing, level, levelShared = -1, 0, 0, false
local function wait(ms, apart, index, shared)
  sharedWaits = sharedWaits or shared
  if ms > longest then longest, spacing, level, levelShared = ms, apart, index, shared end
end
local after, lives = {}, {}
for gate = 1, #KEYS - 5 do
  local at = 6 + (gate - 1) * 4
  local first, second = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if ARGV[at] == 'p' then
    local shared = ARGV[at + 3] == '1' or ARGV[at + 3] == '3'
    local allowance = math.max(cost, (shared and not within) and second * ${s.OVER_SHARE_PART} or second)
    local due = math.max(tonumber(stored[5 + gate]) or 0, now) + cost * intervals[gate]
    local ms = due - allowance * intervals[gate] - now
    if ms < ${s.TINY_MS} then ms = 0 end
    delay = math.max(delay, ms)
    if ms > patience then wait(ms, intervals[gate] * cost / ${s.OVERSUBSCRIPTION}, gate, shared) end
    after[gate], lives[gate] = number(due), due - now
  else
    local period = tonumber(ARGV[at + 3])
    local start = math.floor(now / period) * period
    local used = split(stored[5 + gate])
    local spent = (used[1] == start and used[2] or 0) + cost
    local most = (learned[6] > 0 and math.min(first, learned[6]) or first) * second
    if spent > most then
      refused = true
      wait(start + period - now, period / first, gate, false)
    end
    after[gate], lives[gate] = number(start) .. ' ' .. number(spent), start + period - now
  end
end

local overShare = contested and ahead > ${s.LEAD + s.TINY_CALLS}
if not overShare and not refused and delay <= patience + ${s.TINY_MS} then
  for gate = 1, #KEYS - 5 do
    redis.call('SET', KEYS[5 + gate], after[gate], 'PX', expiry(lives[gate]))
  end
  if tenant ~= '' then
    if others == 0 then ahead = math.min(${s.CREDIT}, ahead) end
    recent = math.min(${s.LEAD}, recent)
    local lives = math.max(ahead * shareInterval, recent * lightInterval)
    local share = number(ahead) .. ' ' .. number(recent) .. ' ' .. number(now)
    redis.call('SET', KEYS[4], share, 'PX', expiry(lives))
    if contends then redis.call('ZADD', KEYS[5], number(now + ${s.GRACE_MS}), tenant) end
  end
  return math.ceil(delay * 1000)
end

if pause > patience then wait(pause, learner and intervals[learner] or 0, 0, false) end
local due = (ahead - ${s.CREDIT}) * shareInterval
if contested and due > 0 and (overShare or sharedWaits) then
  wait(math.min(${s.MAX_SHARE_WAIT_MS}, due), tightest * math.max(1, others) / ${s.OVERSUBSCRIPTION}, -1, false)
end
local amongAll = levelShared and within
local place = longest
if queues then
  local behind = tonumber(stored[amongAll and 3 or 2]) or 0
  place = math.max(longest, behind - now)
end
local ms = math.min(${s.MAX_WAIT_MS}, place)
if queues then
  local key = KEYS[amongAll and 3 or 2]
  redis.call('SET', key, number(now + ms + spacing), 'PX', expiry(ms + spacing))
end
if tenant ~= '' and (levelShared or level == -1) then
  redis.call('ZADD', KEYS[5], number(now + ms + ${s.GRACE_MS}), tenant)
  redis.call('PEXPIRE', KEYS[5], expiry(${s.MAX_WAIT_MS + s.GRACE_MS}))
end
return { math.ceil(ms * 1000), level }
`

/**
 * \`learn\` of rate-limit/learned.ts. KEYS: learned, budget. ARGV: now or nothing, whether refused, pause until, pace,
 * pace until, day's use, day's limit, the budget's period (each nothing where the answer said nothing).
 */
export const learnScript = ({ learning: l }: LimitNumbers): string => `${CLOCK}
local stored = redis.call('GET', KEYS[1])
local learned = stored and split(stored) or { 0, 1, 0, 0, 0, 0 }
local function given(index) return tonumber(ARGV[index]) end
local factor = math.min(1, learned[2] + math.max(0, now - learned[3]) / ${l.RECOVERY_MS})
local cut = ARGV[2] == '1' and now >= learned[3]
if cut then learned[2] = math.max(${l.FLOOR}, factor * ${l.CUT}) end
local unnamed = cut and now + ${l.PAUSE_MS} / learned[2] ^ 2 or 0
learned[1] = math.max(learned[1], given(3) or unnamed)
if cut then learned[3] = math.max(now + ${l.EPISODE_MS}, learned[1]) end
learned[4], learned[5] = given(4) or learned[4], given(5) or learned[5]
learned[6] = given(7) or learned[6]
local parts = {}
for index, value in ipairs(learned) do parts[index] = number(value) end
redis.call('SET', KEYS[1], table.concat(parts, ' '), 'PX', '172800000')
local used, period = given(6), given(8)
if used and period then
  local start = math.floor(now / period) * period
  local budget = split(redis.call('GET', KEYS[2]))
  local spent = math.max(budget[1] == start and budget[2] or 0, used)
  redis.call('SET', KEYS[2], number(start) .. ' ' .. number(spent), 'PX', expiry(start + period - now))
end
return 1
`
