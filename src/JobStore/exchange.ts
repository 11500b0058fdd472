/**
 * The script of the take loop: settles, reclaims and grants in one call.
 */
import * as Script from "../Redis/Script.ts"
import { allowWrites, batch, custody, keyNames, oldAtOnce } from "./custody.ts"
import { granting } from "./Granting.ts"
import { glance } from "./Quiet.ts"
import { decode } from "./Reply.ts"
import * as Settling from "./Settling.ts"

/**
 * Settles, reclaims, grants.
 *
 * A settlement is `D id token`, `R id token delay counted bytes detail`, `S id token score due`, `X id token letter` or
 * `L id token`, padded to seven; those of jobs that are done and come first are a line `id token` each of one argument. It
 * works for the holder of the token only. What goes back to huey's schedule (`S`) with a score that is due now, for clocks
 * are about to change there, would be granted again at once: it waits here instead.
 *
 * Grants come from: expired leases and due retries (at most half of what is free while fresh messages wait, so that
 * neither starves), due messages of huey's schedule (at most half of the rest), fresh messages. Of messages under suspicion
 * only `suspects` are granted. A message whose digest is among those taken lately was pushed twice: it is left out.
 *
 * Exchanges whose answers got lost are named in the next one (`unanswered`, nonces with blanks between): what the last three of
 * them granted is taken back at once and does not wait for the end of its leases.
 *
 * Behind a wake-up call (`behind`) nothing is granted where that has moved no message.
 *
 * Whatever is written of several messages is written by one command: a call costs Redis more than what it does.
 *
 * A script that fails halfway is not undone. So whatever is taken from a key is written to its new place before: a wrong key
 * or a command that an ACL denies loses no message. The first exchange, the one after a failure, and one now and then (`whole`)
 * check the types of the keys and the rights first, lest each copies the same messages.
 */
export const exchange = Script.make({
  name: "exchange",
  keys: keyNames,
  args: [
    "done",
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
    "quiet",
    "whole",
    "behind"
  ],
  body: `
${glance}
-- Behind a wake-up call that came back with nothing there is time, however long ago it was sent.
local is_in_vain = arg_behind == '1' and redis.call('LLEN', key_arrived) == 0
local is_whole = arg_whole == '1' or is_in_vain
if is_whole then
  for key, kind in pairs({
    [key_queue] = 'list', [key_arrived] = 'list', [key_job] = 'hash', [key_meta] = 'hash', [key_history] = 'hash',
    [key_counters] = 'hash', [key_inflight] = 'zset', [key_delayed] = 'zset', [key_schedule] = 'zset',
    [key_seen] = 'zset', [key_dead] = 'stream', [key_answer] = 'string' }) do
    local found = redis.call('TYPE', key).ok
    if found ~= 'none' and found ~= kind then
      return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ', not a ' .. kind)
    end
  end
end
${custody}
-- Changes nothing; Redis allows this write at maxmemory, after which the others of a script are allowed too.
${allowWrites}
if is_whole then
  -- Neither do these: what an ACL denies shows here, before anything is copied that could not be removed from its old place.
  redis.call('ZADD', key_inflight, 'XX', 0, '')
  redis.call('HDEL', key_job, '')
  redis.call('LTRIM', key_arrived, 0, -1)
  redis.call('LTRIM', key_queue, 0, -1)

  -- Housekeeping stands here for the same reason.
  local old = redis.call('ZCOUNT', key_seen, '-inf', now - arg_seen_age)
  local above = math.max(old, redis.call('ZCARD', key_seen) - arg_seen_cap)
  if above > 0 then redis.call('ZREMRANGEBYRANK', key_seen, 0, math.min(above, ${oldAtOnce}) - 1) end
  for _, entry in ipairs(redis.call('XRANGE', key_dead, '-', score(now - arg_dead_age), 'COUNT', ${batch})) do
    redis.call('XDEL', key_dead, entry[1])
  end
end

local function bury(letter, id)
  redis.call('XADD', key_dead, 'MAXLEN', '~', arg_dead_cap, '*', 'letter', letter, 'history', history(id))
  forget(id)
end

${Settling.settling}
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
for _, id in ipairs(redis.call('ZRANGEBYSCORE', key_inflight, '-inf', now_text, 'LIMIT', '0', '${batch}')) do
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

${granting}
-- Of a wake-up call that Redis refuses nobody hears the answer to what stands behind it.
if is_in_vain then need = 0 end
if need > 0 then
  grant_delayed(true)
  grant_scheduled()
  -- A resend stands beside its message: so many are left out in one call, lest a flood of them hold Redis up.
  for _, list in ipairs({ key_arrived, key_queue }) do
    while need > 0 and duplicates < ${batch} do
      local oldest = redis.call('LRANGE', list, -math.min(need, ${batch}), '-1')
      if #oldest == 0 then break end
      local left = #oldest
      while left > 0 and duplicates < ${batch} do
        grant_new(oldest[left])
        left = left - 1
      end
      write_grants()
      redis.call('LTRIM', list, '0', left - #oldest - 1)
    end
  end
  if need > 0 then grant_delayed(false) end
end
-- Three exchanges of a worker may be under way. Where an ACL denies it, a lost answer waits for the end of its leases.
if #granted > 0 then
  local former = redis.pcall('GET', key_answer)
  former = type(former) == 'string' and string.match(former, '^[^\\n]*\\n?[^\\n]*') or ''
  redis.pcall('SET', key_answer, arg_nonce .. ' ' .. table.concat(granted, ' ') .. '\\n' .. former, 'PX', arg_lease)
end

-- Whoever got all that it asked for comes again at once; so does it where more was left out than one call may.
-- Behind a wake-up call nobody gets a suspect; who could comes then.
local is_due = need == 0 and #granted > 0 or duplicates >= ${batch} or arg_behind == '1' and passed > 0
local next_due = is_due and 0 or -1
if next_due < 0 then
  local function earlier(millis)
    local rest = math.max(0, math.ceil(millis - now))
    if next_due < 0 or rest < next_due then next_due = rest end
  end
  local delayed = redis.call('ZRANGE', key_delayed, passed, passed, 'WITHSCORES')
  if delayed[2] then earlier(tonumber(delayed[2])) end
  local leased = redis.call('ZRANGE', key_inflight, '0', '0', 'WITHSCORES')
  if leased[2] then earlier(tonumber(leased[2])) end
  local scheduled = redis.call('ZRANGE', key_schedule, '0', '0', 'WITHSCORES')
  if scheduled[2] then earlier((tonumber(scheduled[2]) - arg_schedule_offset) * 1000) end
end
return { count, late, table.concat(heads, '\\n'), bodies, buried, duplicates, next_due, now }
`,
  decode
})
