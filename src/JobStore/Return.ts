/**
 * The way back to huey's list: of what the wake-up call moved, at a stop; of all that is in custody, for another kind of
 * worker.
 */
import * as Effect from "effect/Effect"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import * as Script from "../Redis/Script.ts"
import { allowWrites, custody, keyNames, number } from "./custody.ts"

/** How many messages one call moves: a few milliseconds of Redis' time. */
const chunk = 500

/**
 * Puts what the wake-up call moved back where it came from, the oldest to the right; at most `limit` in one call. A worker
 * that does so takes no more: what it was granted last is forgotten.
 */
const unpark = Script.make({
  name: "unpark",
  keys: keyNames,
  args: ["limit"],
  body: `
${allowWrites}
local moved = 0
while moved < tonumber(arg_limit) do
  local bytes = redis.call('LINDEX', key_arrived, 0)
  if not bytes then break end
  redis.call('RPUSH', key_queue, bytes)
  redis.call('LPOP', key_arrived)
  moved = moved + 1
end
redis.call('DEL', key_answer)
return moved
`,
  decode: number
})

/**
 * Puts messages in custody back on huey's list, in the order of their ids behind the named arguments, each to the right
 * end: the last one is taken next. Their digests are forgotten, or they would be taken for resends.
 */
const drain = Script.make({
  name: "drain",
  keys: keyNames,
  args: [],
  body: `${custody}
${allowWrites}
local moved = 0
for i = first_rest, #ARGV do
  local id = ARGV[i]
  local bytes = redis.call('HGET', key_job, id)
  if bytes then
    redis.call('RPUSH', key_queue, bytes)
    redis.call('ZREM', key_seen, redis.sha1hex(bytes))
    moved = moved + 1
  end
  redis.call('ZREM', key_delayed, id)
  forget(id)
end
return moved
`,
  decode: number
})

/** Moves what the wake-up call moved back in order; how many messages. */
export const unparkAll = (redis: RedisConnection, keys: Keys): Effect.Effect<number, RedisError> =>
  Effect.flatMap(redis.run(unpark, { ...keys }, { limit: chunk }), (moved) =>
    moved < chunk ? Effect.succeed(moved) : Effect.map(unparkAll(redis, keys), (more) => moved + more)
  )

/** Ids begin with a number that grows with each message taken. */
const sequence = (id: string) => Number.parseInt(id, 10)

/**
 * Moves everything back, also what other workers have in hand, so that the oldest is taken next: no worker may be alive.
 * What was to be tried later is then tried at once.
 */
export const drainAll = (redis: RedisConnection, keys: Keys): Effect.Effect<number, RedisError> =>
  Effect.gen(function* () {
    const parked = yield* unparkAll(redis, keys)
    const delayed = yield* redis.use((client) => client.zrange(keys.delayed, 0, -1))
    const inHand = yield* redis.use((client) => client.zrange(keys.inflight, 0, -1))
    const ids = [...delayed, ...inHand].sort((a, b) => sequence(b) - sequence(a))
    let moved = parked
    for (let start = 0; start < ids.length; start += chunk) {
      moved += yield* redis.run(drain, { ...keys }, {}, ids.slice(start, start + chunk))
    }
    return moved
  })
