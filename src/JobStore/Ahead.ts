/**
 * What stands ahead in huey's schedule, and the way past it for jobs that are overdue by their own time.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import * as Script from "../Redis/Script.ts"
import { allowWrites, keyNames, number } from "./custody.ts"

/** No zone is further behind UTC, in which a score is ahead of its job's time. Seconds. */
const furthest = 12 * 3_600

/** One look sees so many messages, or so many bytes and one message more: a few milliseconds of Redis' time. */
const page = 500
const pageBytes = 1024 * 1024

/** Messages that are not due by their scores, but may be by their own time: some from `start` on, in their order. */
const ahead = Script.make({
  name: "ahead",
  keys: keyNames,
  args: ["start", "limit", "max_bytes", "furthest", "schedule_offset"],
  body: `
local time = redis.call('TIME')
local due = redis.call('ZCOUNT', key_schedule, '-inf', time[1] + arg_schedule_offset)
local last = redis.call('ZCOUNT', key_schedule, '-inf', time[1] + arg_furthest) - 1
local first = due + arg_start
local found, size = {}, 0
if first <= last then
  for _, bytes in ipairs(redis.call('ZRANGE', key_schedule, first, math.min(last, first + arg_limit - 1))) do
    found[#found + 1] = bytes
    size = size + #bytes
    if size >= tonumber(arg_max_bytes) then break end
  end
end
return found
`,
  decode: (reply) =>
    Array.isArray(reply) && reply.every((item): item is Uint8Array => item instanceof Uint8Array)
      ? Either.right(reply)
      : Either.left("not a list of messages")
})

/** Moves the messages behind the named arguments to the end of huey's list where they are taken next, the first one first. */
const advance = Script.make({
  name: "advance",
  keys: keyNames,
  args: [],
  body: `
${allowWrites}
-- What an ACL denies shows here, before anything is copied that could not be removed from its old place.
redis.call('ZREM', key_schedule, '')
local moved = 0
for i = #ARGV, first_rest, -1 do
  if redis.call('ZSCORE', key_schedule, ARGV[i]) then
    redis.call('RPUSH', key_queue, ARGV[i])
    redis.call('ZREM', key_schedule, ARGV[i])
    moved = moved + 1
  end
end
return moved
`,
  decode: number
})

/** Looks at one page after the other, and begins anew behind the last one; answers with how many were moved. */
export const make = (redis: RedisConnection, keys: Keys, scheduleOffset: Effect.Effect<number>) => {
  let start = 0
  return (isDue: (bytes: Uint8Array) => boolean): Effect.Effect<number, RedisError> =>
    Effect.gen(function* () {
      const schedule_offset = yield* scheduleOffset
      const seen = yield* redis.run(
        ahead,
        { ...keys },
        { start, limit: page, max_bytes: pageBytes, furthest, schedule_offset }
      )
      const overdue = seen.filter(isDue)
      start = seen.length === 0 ? 0 : start + seen.length - overdue.length
      return overdue.length === 0 ? 0 : yield* redis.run(advance, { ...keys }, {}, overdue)
    })
}
