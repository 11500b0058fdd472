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
local drawn = {}
local function draw(counter)
  local number = drawn[counter] or redis.call('HINCRBY', key_counters, counter, need) - need
  drawn[counter] = number + 1
  return number + 1 .. ':' .. arg_nonce
end
local jobs, metas, leases, digests, is_new = {}, {}, {}, {}, {}
local lease_end = score(now + arg_lease)
local function grant(id, meta, bytes)
  local token = draw('fence')
  meta.deliveries = meta.deliveries + 1
  metas[#metas + 1] = id
  metas[#metas + 1] = meta_text(token, meta)
  leases[#leases + 1] = lease_end
  leases[#leases + 1] = id
  heads[#heads + 1] = string.format('%s %s %d %d %.0f', id, token, meta.deliveries, meta.attempts, meta.first)
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
  local id = draw('sequence')
  jobs[#jobs + 1] = id
  jobs[#jobs + 1] = bytes
  digests[#digests + 1] = score(now)
  digests[#digests + 1] = digest
  grant(id, { deliveries = 0, attempts = 0, first = now }, bytes)
end
local function write_grants()
  write_all('HSET', key_job, jobs)
  write_all('HSET', key_meta, metas)
  write_all('ZADD', key_inflight, leases)
  write_all('ZADD', key_seen, digests)
  jobs, metas, leases, digests = {}, {}, {}, {}
end
-- Suspects beyond what is allowed are passed by: they stand in front of the others, for they were taken long ago.
local suspects, passed = tonumber(arg_suspects), 0
local function grant_delayed(limit)
  if limit < 1 then return end
  passed = 0
  local gone = {}
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
      gone[#gone + 1] = id
    end
  end
  write_grants()
  write_all('ZREM', key_delayed, gone)
end
local function grant_scheduled(limit)
  local due = redis.call('ZRANGEBYSCORE', key_schedule, '-inf', now / 1000 + arg_schedule_offset, 'LIMIT', 0, limit)
  for _, bytes in ipairs(due) do grant_new(bytes) end
  write_grants()
  write_all('ZREM', key_schedule, due)
end
`
