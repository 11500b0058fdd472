/**
 * The Lua of the store on Redis, but for the exchange. Time is Redis' own.
 */
import * as Either from "effect/Either"
import type { Keys } from "../Redis/keys.ts"
import * as Script from "../Redis/Script.ts"

/** The numbers of a reply that consists of them. */
export const numbers = (value: unknown): ReadonlyArray<number> | undefined =>
  Array.isArray(value) && value.every((item): item is number => typeof item === "number") ? value : undefined

/** The keys in the order of their names: one record serves every script of the store. */
export const keyNames = [
  "queue",
  "schedule",
  "arrived",
  "job",
  "meta",
  "inflight",
  "delayed",
  "dead",
  "counters"
] as const satisfies ReadonlyArray<keyof Keys>

/** Extends leases; `id token` behind the named arguments. */
export const extend = Script.make({
  name: "extend",
  keys: keyNames,
  args: ["lease"],
  body: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = {}
-- Removes nothing, and is a write that Redis allows at maxmemory: after it the others of a script are allowed too.
redis.call('ZREM', key_inflight, '')
for i = first_rest, #ARGV, 2 do
  local meta = redis.call('HGET', key_meta, ARGV[i])
  if meta and string.match(meta, '^([^|]*)|') == ARGV[i + 1] then
    redis.call('ZADD', key_inflight, string.format('%.0f', now + arg_lease), ARGV[i])
    held[#held + 1] = 1
  else
    held[#held + 1] = 0
  end
end
return held
`,
  decode: (reply) => {
    const flags = numbers(reply)
    return flags === undefined ? Either.left("not a list of numbers") : Either.right(flags.map((flag) => flag === 1))
  }
})

/** Counts what there is, by the length of each key. */
export const counts = Script.make({
  name: "counts",
  keys: keyNames,
  args: [],
  body: `
return {
  redis.call('LLEN', key_queue) + redis.call('LLEN', key_arrived),
  redis.call('ZCARD', key_schedule),
  redis.call('ZCARD', key_inflight),
  redis.call('ZCARD', key_delayed),
  redis.call('XLEN', key_dead)
}
`,
  decode: (reply) => {
    const [waiting, scheduled, inHand, retrying, dead] = numbers(reply) ?? []
    return dead === undefined ||
      waiting === undefined ||
      scheduled === undefined ||
      inHand === undefined ||
      retrying === undefined
      ? Either.left("not five numbers")
      : Either.right({ waiting, scheduled, inHand, retrying, dead })
  }
})

/** Puts what the wake-up call moved back where it came from, the oldest to the right. */
export const unpark = Script.make({
  name: "unpark",
  keys: keyNames,
  args: [],
  body: `
local moved = 0
while true do
  local bytes = redis.call('LINDEX', key_arrived, 0)
  if not bytes then return moved end
  redis.call('RPUSH', key_queue, bytes)
  redis.call('LPOP', key_arrived)
  moved = moved + 1
end
`,
  decode: (reply) => (typeof reply === "number" ? Either.right(reply) : Either.left("not a number"))
})
