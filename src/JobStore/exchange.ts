/**
 * The script of the take loop: settles, reclaims and grants in one call.
 */
import * as Script from "../Redis/Script.ts"
import { allowWrites, custody, keyNames } from "./custody.ts"
import { glance } from "./Quiet.ts"
import { decode } from "./Reply.ts"
import * as Settling from "./Settling.ts"

/** How many expired leases, old digests or old letters one call looks at: bounds the time of a call. */
const batch = 64

/**
 * Settles, reclaims, grants.
 *
 * A settlement is `D id token`, `R id token delay counted bytes detail`, `S id token score due`, `X id token letter` or
 * `L id token`, padded to seven. It works for the holder of the token only. What goes back to huey's schedule (`S`) with a
 * score that is due now, for clocks are about to change there, would be granted again at once: it waits here instead.
 *
 * Grants come from: expired leases and due retries (at most half of what is free while fresh messages wait, so that
 * neither starves), due messages of huey's schedule (at most half of the rest), fresh messages. Of messages under suspicion
 * only `suspects` are granted. A message whose digest is among those taken lately was pushed twice: it is left out.
 *
 * Exchanges whose answers got lost are named in the next one (`unanswered`, nonces with blanks between): what the last three of
 * them granted is taken back at once and does not wait for the end of its leases.
 *
 * A script that fails halfway is not undone. So the types of the keys are checked first, and whatever is taken from a key
 * is written to its new place before: a command that an ACL denies loses no message.
 */
export const exchange = Script.make({
  name: "exchange",
  keys: keyNames,
  args: [
    "free",
    "suspects",
    "suspect_from",
    "lease",
    "nonce",
    "unanswered",
    "max_deliveries",
    "poison_detail",
    "dead_cap",
    "dead_age",
    "seen_cap",
    "seen_age",
    "schedule_offset",
    "quiet"
  ],
  body: `
${glance}
for key, kind in pairs({
  [key_queue] = 'list', [key_arrived] = 'list', [key_job] = 'hash', [key_meta] = 'hash', [key_history] = 'hash',
  [key_counters] = 'hash', [key_inflight] = 'zset', [key_delayed] = 'zset', [key_schedule] = 'zset',
  [key_seen] = 'zset', [key_dead] = 'stream', [key_answer] = 'string' }) do
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
  end
end
${custody}
-- These change nothing. The first is a write that Redis allows at maxmemory, after which the others of a script are allowed
-- too; and what an ACL denies shows here, before anything is copied that could not be removed from its old place.
${allowWrites}
redis.call('ZADD', key_inflight, 'XX', 0, '')
redis.call('HDEL', key_job, '')
redis.call('LTRIM', key_arrived, 0, -1)
redis.call('LTRIM', key_queue, 0, -1)

-- Housekeeping stands here for the same reason.
local old = redis.call('ZRANGEBYSCORE', key_seen, '-inf', now - arg_seen_age, 'LIMIT', 0, ${batch})
if #old > 0 then redis.call('ZREM', key_seen, unpack(old)) end
local above = redis.call('ZCARD', key_seen) - arg_seen_cap
if above > 0 then redis.call('ZREMRANGEBYRANK', key_seen, 0, math.min(above, ${batch}) - 1) end
for _, entry in ipairs(redis.call('XRANGE', key_dead, '-', score(now - arg_dead_age), 'COUNT', ${batch})) do
  redis.call('XDEL', key_dead, entry[1])
end

local function bury(letter, id)
  redis.call('XADD', key_dead, 'MAXLEN', '~', arg_dead_cap, '*', 'letter', letter, 'history', history(id))
  forget(id)
end

local settled = {}
for i = first_rest, #ARGV, ${Settling.width} do
  local kind, id, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local meta = read_meta(id)
  if not meta or meta.token ~= token then
    settled[#settled + 1] = 0
  else
    settled[#settled + 1] = 1
    if kind == 'D' then
      forget(id)
    elseif kind == 'R' then
      if ARGV[i + 6] ~= '' then note(id, meta.attempts + 1, ARGV[i + 6]) end
      if ARGV[i + 4] == '1' then meta.attempts = meta.attempts + 1 end
      meta.deliveries = 0
      if ARGV[i + 5] ~= '' then redis.call('HSET', key_job, id, ARGV[i + 5]) end
      delay(id, meta, now + tonumber(ARGV[i + 3]))
    elseif kind == 'S' then
      local bytes = redis.call('HGET', key_job, id)
      if bytes and tonumber(ARGV[i + 3]) > now / 1000 + arg_schedule_offset then
        redis.call('ZADD', key_schedule, ARGV[i + 3], bytes)
        -- Or it would be taken for a resend when its time has come.
        redis.call('ZREM', key_seen, redis.sha1hex(bytes))
        forget(id)
      else
        meta.deliveries = 0
        delay(id, meta, tonumber(ARGV[i + 4]))
      end
    elseif kind == 'X' then
      bury(ARGV[i + 3], id)
    else
      meta.deliveries = meta.deliveries - 1
      give_back(id, meta)
    end
  end
end

local answers = arg_unanswered ~= '' and redis.pcall('GET', key_answer)
for answer in string.gmatch(type(answers) == 'string' and answers or '', '[^\\n]+') do
  if string.find(' ' .. arg_unanswered .. ' ', ' ' .. string.match(answer, '^%S+') .. ' ', 1, true) then
    for id, token in string.gmatch(answer, ' (%S+)=(%S+)') do
      local meta = read_meta(id)
      if meta and meta.token == token then
        meta.deliveries = meta.deliveries - 1
        give_back(id, meta)
      end
    end
  end
end

local buried = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key_inflight, '-inf', now, 'LIMIT', 0, ${batch})) do
  local meta = read_meta(id)
  if not meta then
    redis.call('ZREM', key_inflight, id)
  elseif meta.deliveries > tonumber(arg_max_deliveries) then
    buried[#buried + 1] = { id, '', meta.deliveries, meta.attempts, meta.first, redis.call('HGET', key_job, id) }
    bury(cjson.encode({
      reason = 'Poison', detail = arg_poison_detail, attempts = meta.attempts,
      deliveries = meta.deliveries, firstTakenAt = meta.first }), id)
  else
    note(id, meta.attempts + 1, 'its lease ended')
    give_back(id, meta)
  end
end

local grants, granted, duplicates = {}, {}, 0
local need = tonumber(arg_free)
local function grant(id, meta, bytes)
  local token = redis.call('HINCRBY', key_counters, 'fence', 1) .. ':' .. arg_nonce
  meta.deliveries = meta.deliveries + 1
  write_meta(id, token, meta)
  redis.call('ZADD', key_inflight, score(now + arg_lease), id)
  grants[#grants + 1] = { id, token, meta.deliveries, meta.attempts, meta.first, bytes }
  granted[#granted + 1] = id .. '=' .. token
  need = need - 1
end
local function grant_new(bytes)
  local digest = redis.sha1hex(bytes)
  local seen = redis.call('ZSCORE', key_seen, digest)
  if seen and now - seen < tonumber(arg_seen_age) then
    duplicates = duplicates + 1
    return
  end
  local id = redis.call('HINCRBY', key_counters, 'sequence', 1) .. ':' .. arg_nonce
  redis.call('HSET', key_job, id, bytes)
  grant(id, { deliveries = 0, attempts = 0, first = now }, bytes)
  redis.call('ZADD', key_seen, score(now), digest)
end
-- Suspects beyond what is allowed are passed by: they stand in front of the others, for they were taken long ago.
local suspects, passed = tonumber(arg_suspects), 0
local function grant_delayed(limit)
  if limit < 1 then return end
  passed = 0
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key_delayed, '-inf', now, 'LIMIT', 0, limit + ${batch})) do
    if limit < 1 then break end
    local meta, bytes = read_meta(id), redis.call('HGET', key_job, id)
    local is_suspect = meta and meta.deliveries + 1 >= tonumber(arg_suspect_from)
    if is_suspect and suspects < 1 then
      passed = passed + 1
    else
      if is_suspect then suspects = suspects - 1 end
      if meta and bytes then
        grant(id, meta, bytes)
        limit = limit - 1
      end
      redis.call('ZREM', key_delayed, id)
    end
  end
end
local function grant_scheduled(limit)
  local due = now / 1000 + arg_schedule_offset
  for _, bytes in ipairs(redis.call('ZRANGEBYSCORE', key_schedule, '-inf', due, 'LIMIT', 0, limit)) do
    grant_new(bytes)
    redis.call('ZREM', key_schedule, bytes)
  end
end

if need > 0 then
  local fresh = redis.call('LLEN', key_arrived) + redis.call('LLEN', key_queue) > 0
  -- The odd one goes to retries in half of the calls, so that one slot serves both kinds.
  local odd = time[2] % 2
  grant_delayed(fresh and math.floor((need + odd) / 2) or need)
  grant_scheduled(fresh and math.floor((need + 1 - odd) / 2) or need)
  -- A resend stands beside its message: so many are left out in one call, lest a flood of them hold Redis up.
  for _, list in ipairs({ key_arrived, key_queue }) do
    while need > 0 and duplicates < ${batch} do
      local bytes = redis.call('LINDEX', list, -1)
      if not bytes then break end
      grant_new(bytes)
      redis.call('LTRIM', list, 0, -2)
    end
  end
  grant_delayed(need)
end
-- The worker is told to come again at once where more was left out than one call may.
local again = duplicates >= ${batch}

-- Three exchanges of a worker may be under way. Where an ACL denies it, a lost answer waits for the end of its leases.
if #granted > 0 then
  local former = redis.pcall('GET', key_answer)
  former = type(former) == 'string' and string.match(former, '^[^\\n]*\\n?[^\\n]*') or ''
  redis.pcall('SET', key_answer, arg_nonce .. ' ' .. table.concat(granted, ' ') .. '\\n' .. former, 'PX', arg_lease)
end

local next_due = again and 0 or -1
local function earlier(millis)
  local rest = math.max(0, math.ceil(millis - now))
  if next_due < 0 or rest < next_due then next_due = rest end
end
local delayed = redis.call('ZRANGE', key_delayed, passed, passed, 'WITHSCORES')
if delayed[2] then earlier(tonumber(delayed[2])) end
local leased = redis.call('ZRANGE', key_inflight, 0, 0, 'WITHSCORES')
if leased[2] then earlier(tonumber(leased[2])) end
local scheduled = redis.call('ZRANGE', key_schedule, 0, 0, 'WITHSCORES')
if scheduled[2] then earlier((tonumber(scheduled[2]) - arg_schedule_offset) * 1000) end
return { settled, grants, buried, duplicates, next_due, now }
`,
  decode
})
