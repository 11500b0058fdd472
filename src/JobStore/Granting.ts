/**
 * The part of the script of the take loop that grants.
 */
import { batch } from "./custody.ts"

/**
 * Local functions, behind the settlements and what was reclaimed: they grant at most `need` messages, of which each has a
 * line in `heads` and its bytes in `bodies`.
 */
export const granting = `
local heads, bodies, granted, duplicates = {}, {}, {}, 0
local need = tonumber(arg_free)
-- Numbers for all that may be granted are drawn at once.
local drawn
local function draw()
  drawn = (drawn or redis.call('HINCRBY', key_counters, 'fence', need) - need) + 1
  return drawn .. ':' .. arg_nonce
end
local jobs, metas, leases, digests, is_new = {}, {}, {}, {}, {}
local lease_end = score(now + arg_lease)
local function grant(id, token, meta, head, bytes)
  metas[#metas + 1] = id
  metas[#metas + 1] = meta
  leases[#leases + 1] = lease_end
  leases[#leases + 1] = id
  heads[#heads + 1] = head
  bodies[#bodies + 1] = bytes
  granted[#granted + 1] = id .. '=' .. token
  need = need - 1
end
local function grant_new(bytes)
  local digest = redis.sha1hex(bytes)
  local seen = is_new[digest] and now or redis.call('ZSCORE', key_seen, digest)
  if seen and now - seen < tonumber(arg_seen_age) then
    duplicates = duplicates + 1
    return
  end
  is_new[digest] = true
  -- Its first token is its id as well.
  local id = draw()
  jobs[#jobs + 1] = id
  jobs[#jobs + 1] = bytes
  digests[#digests + 1] = now_text
  digests[#digests + 1] = digest
  grant(id, id, id .. '|1|0|' .. now_text, id .. ' ' .. id .. ' 1 0 ' .. now_text, bytes)
end
-- What is in hand is noted before what it is: where Redis refuses what follows, the end of its lease clears it away.
local function write_grants()
  write_all('ZADD', key_inflight, leases)
  write_all('HSET', key_meta, metas)
  write_all('HSET', key_job, jobs)
  write_all('ZADD', key_seen, digests)
  jobs, metas, leases, digests = {}, {}, {}, {}
end
-- Suspects beyond what is allowed are passed by: they stand in front of the others, for they were taken long ago.
local suspects, passed = tonumber(arg_suspects), 0
-- The odd one goes to retries in half of the calls, so that one slot serves both kinds.
local odd = time[2] % 2
local function share(more)
  local fresh = redis.call('LLEN', key_arrived) + redis.call('LLEN', key_queue) > 0
  return fresh and math.floor((need + more) / 2) or need
end
local function grant_delayed(is_shared)
  passed = 0
  local ids = redis.call('ZRANGEBYSCORE', key_delayed, '-inf', now_text, 'LIMIT', '0', need + ${batch})
  if #ids == 0 then return end
  local limit, gone = is_shared and share(odd) or need, {}
  for _, id in ipairs(ids) do
    if limit < 1 then break end
    local meta, bytes = read_meta(id), redis.call('HGET', key_job, id)
    local is_suspect = meta and meta.deliveries + 1 >= tonumber(arg_suspect_from)
    if is_suspect and suspects < 1 then
      passed = passed + 1
    else
      if is_suspect then suspects = suspects - 1 end
      if meta and bytes then
        local token = draw()
        meta.deliveries = meta.deliveries + 1
        local head = string.format('%s %s %d %d %.0f', id, token, meta.deliveries, meta.attempts, meta.first)
        grant(id, token, meta_text(token, meta), head, bytes)
        limit = limit - 1
      elseif not bytes then
        forget(id)
      end
      gone[#gone + 1] = id
    end
  end
  write_grants()
  write_all('ZREM', key_delayed, gone)
end
local function grant_scheduled()
  local now_there = now / 1000 + arg_schedule_offset
  local due = redis.call('ZRANGEBYSCORE', key_schedule, '-inf', now_there, 'LIMIT', '0', need)
  if #due == 0 then return end
  local limit = share(1 - odd)
  for i = #due, limit + 1, -1 do due[i] = nil end
  for _, bytes in ipairs(due) do grant_new(bytes) end
  write_grants()
  write_all('ZREM', key_schedule, due)
end
`
