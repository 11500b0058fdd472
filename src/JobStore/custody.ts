/**
 * Lua that the scripts of the store share: Redis' time, and what is kept of a message from its first grant to its end.
 */
import * as Either from "effect/Either"
import type { Keys } from "../Redis/keys.ts"

/** The keys in the order of their names: one record serves every script of the store. */
export const keyNames = [
  "queue",
  "schedule",
  "arrived",
  "job",
  "meta",
  "history",
  "inflight",
  "delayed",
  "dead",
  "seen",
  "counters",
  "answer"
] as const satisfies ReadonlyArray<keyof Keys>

/** For the scripts that know of workers; those of the take loop do without. */
export const withWorkers = [...keyNames, "workers"] as const satisfies ReadonlyArray<keyof Keys>

/** A write that changes nothing and that Redis allows at maxmemory: after it the others of a script are allowed too. */
export const allowWrites = "redis.call('ZREM', key_inflight, '')"

/** The numbers of a reply that consists of them. */
export const numbers = (value: unknown): ReadonlyArray<number> | undefined =>
  Array.isArray(value) && value.every((item): item is number => typeof item === "number") ? value : undefined

/** A reply that is a number. */
export const number = (reply: unknown): Either.Either<number, string> =>
  typeof reply === "number" ? Either.right(reply) : Either.left("not a number")

/**
 * Local functions behind {@link custody}: a worker's sign of life, worth a lease, and how many workers gave one. Those of the
 * dead are cleared away at the same time.
 */
export const presence = `
local function announce(worker, lease)
  redis.call('ZADD', key_workers, score(now + lease), worker)
  local dead = redis.call('ZRANGEBYSCORE', key_workers, '-inf', now, 'LIMIT', 0, 64)
  if #dead > 0 then redis.call('ZREM', key_workers, unpack(dead)) end
end
local function alive() return redis.call('ZCOUNT', key_workers, '(' .. score(now), '+inf') end
`

/** A reply that is a list of messages. */
export const messages = (reply: unknown): Either.Either<ReadonlyArray<Uint8Array>, string> =>
  Array.isArray(reply) && reply.every((item): item is Uint8Array => item instanceof Uint8Array)
    ? Either.right(reply)
    : Either.left("not a list of messages")

/** How large the messages of one answer are together, and one message more: so much crosses any network in time. */
export const answerBytes = 1024 * 1024

/** Local `found` and `is_full(bytes)`, which adds to it; with the arguments `limit` and `max_bytes`. */
export const gathering = `
local found, size = {}, 0
local function is_full(bytes)
  found[#found + 1] = bytes
  size = size + #bytes
  return #found >= tonumber(arg_limit) or size >= tonumber(arg_max_bytes)
end
`

/** How many expired leases, resends or old letters one call looks at: bounds the time of a call. */
export const batch = 64

/** Values that one command is given: Lua's stack takes some thousands. Even, for some are pairs. */
export const atOnce = 1_000

/** So many digests one whole exchange removes, in some milliseconds: more than seventeen exchanges of 1 000 slots add. */
export const oldAtOnce = 10_000

/** So many lines of a job's history are kept, the last ones. */
const historyLines = 10

/**
 * Local functions, in front of a script's own text. `meta` is `token|deliveries|attempts|firstTakenAt`; a message
 * without a token is in nobody's hand and waits in `delayed`.
 */
export const custody = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function score(millis) return string.format('%.0f', millis) end
-- Redis writes numbers among the arguments of a command out with care and at length: what is used often is a text.
local now_text = score(now)

local function read_meta(id)
  local meta = redis.call('HGET', key_meta, id)
  if not meta then return nil end
  local token, deliveries, attempts, first = string.match(meta, '^([^|]*)|(%d+)|(%d+)|(%d+)$')
  return { token = token, deliveries = tonumber(deliveries), attempts = tonumber(attempts), first = tonumber(first) }
end
local function meta_text(token, meta)
  return string.format('%s|%d|%d|%.0f', token, math.max(0, meta.deliveries), meta.attempts, meta.first)
end
local function write_meta(id, token, meta) redis.call('HSET', key_meta, id, meta_text(token, meta)) end
local function write_all(command, key, values)
  for i = 1, #values, ${atOnce} do
    redis.call(command, key, unpack(values, i, math.min(i + ${atOnce - 1}, #values)))
  end
end
-- Their places among the others go last: where Redis refuses what stands before, the end of a lease clears the rest away.
local function forget_all(ids)
  write_all('HDEL', key_job, ids)
  write_all('HDEL', key_history, ids)
  write_all('HDEL', key_meta, ids)
  write_all('ZREM', key_inflight, ids)
end
local function forget(id) forget_all({ id }) end
local function delay(id, meta, due)
  write_meta(id, '', meta)
  redis.call('ZADD', key_delayed, score(due), id)
  redis.call('ZREM', key_inflight, id)
end
-- What was in hand when its worker stopped or died goes in front of what waits for its turn since later.
local function give_back(id, meta) delay(id, meta, meta.first) end
local function history(id) return redis.call('HGET', key_history, id) or '' end
local function note(id, attempt, detail)
  local lines = history(id)
  lines = (lines == '' and '' or lines .. '\\n') .. score(now) .. ' ' .. attempt .. ' ' .. detail
  local _, breaks = string.gsub(lines, '\\n', '')
  if breaks >= ${historyLines} then lines = string.gsub(lines, '^[^\\n]*\\n', '') end
  redis.call('HSET', key_history, id, lines)
end
`
