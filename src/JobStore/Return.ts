/**
 * The way back to huey's keys: of what the wake-up call moved, at a stop; of all that is in custody, for another kind of
 * worker.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import * as Script from "../Redis/Script.ts"
import { allowWrites, custody, keyNames, number, numbers, presence, withWorkers } from "./custody.ts"
import { type Drained, type DrainOptions, WorkersAlive } from "./Drained.ts"

/** How many messages one call moves: a few milliseconds of Redis' time. */
const chunk = 500

/** And how large they are together, one more than that: Redis copies them. */
const chunkBytes = 16 * 1024 * 1024

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
 * Puts messages in custody back, in the order of their ids behind the named arguments: on huey's list, each to the right end,
 * so that the last one is taken next; in huey's schedule where they are to be tried later. Their digests are forgotten, or
 * they would be taken for resends. Stops at `max_bytes`, and does nothing beside a worker that is alive, unless forced.
 */
const drain = Script.make({
  name: "drain",
  keys: withWorkers,
  args: ["force", "max_bytes", "schedule_offset"],
  body: `${custody}${presence}
${allowWrites}
-- What an ACL denies shows here, before anything is copied that could not be removed from its old place.
redis.call('HDEL', key_job, '')
local workers = arg_force == '1' and 0 or alive()
local passed, size, in_hand, due, later = 0, 0, 0, 0, 0
for i = first_rest, workers > 0 and 0 or #ARGV do
  if size >= tonumber(arg_max_bytes) then break end
  local id = ARGV[i]
  local bytes = redis.call('HGET', key_job, id)
  local at = redis.call('ZSCORE', key_delayed, id)
  if bytes then
    size = size + #bytes
    if at and tonumber(at) > now then
      redis.call('ZADD', key_schedule, string.format('%.3f', at / 1000 + arg_schedule_offset), bytes)
      later = later + 1
    else
      redis.call('RPUSH', key_queue, bytes)
      if at then due = due + 1 else in_hand = in_hand + 1 end
    end
    redis.call('ZREM', key_seen, redis.sha1hex(bytes))
  end
  redis.call('ZREM', key_delayed, id)
  forget(id)
  passed = passed + 1
end
return { workers, passed, in_hand, due, later }
`,
  decode: (reply) => {
    const [workers, passed, inHand, due, later] = numbers(reply) ?? []
    return workers === undefined ||
      passed === undefined ||
      inHand === undefined ||
      due === undefined ||
      later === undefined
      ? Either.left("not five numbers")
      : Either.right({ workers, passed, inHand, due, later })
  }
})

/** Moves what the wake-up call moved back in order; how many messages. */
export const unparkAll = (redis: RedisConnection, keys: Keys): Effect.Effect<number, RedisError> =>
  Effect.flatMap(redis.run(unpark, { ...keys }, { limit: chunk }), (moved) =>
    moved < chunk ? Effect.succeed(moved) : Effect.map(unparkAll(redis, keys), (more) => moved + more)
  )

/** Ids begin with a number that grows with each message taken. */
const sequence = (id: string) => Number.parseInt(id, 10)

/** All members of a sorted set that does not change meanwhile. */
const membersOf = Effect.fnUntraced(function* (redis: RedisConnection, key: string) {
  const members: Array<string> = []
  for (;;) {
    const more = yield* redis.use((client) => client.zrange(key, members.length, members.length + chunk - 1))
    members.push(...more)
    if (more.length < chunk) return members
  }
})

/**
 * Moves everything back, also what workers had in hand that died, so that the oldest is taken next. Ended in the middle and
 * called again it goes on where it was; what is to be tried later keeps its time.
 */
export const drainAll = (
  redis: RedisConnection,
  keys: Keys,
  scheduleOffset: Effect.Effect<number>,
  { force, onProgress = () => Effect.void }: DrainOptions
): Effect.Effect<Drained, RedisError | WorkersAlive> =>
  Effect.gen(function* () {
    const step = (ids: ReadonlyArray<string>) =>
      Effect.flatMap(scheduleOffset, (schedule_offset) =>
        redis.run(drain, { ...keys }, { force: force ? 1 : 0, max_bytes: chunkBytes, schedule_offset }, ids)
      ).pipe(
        Effect.filterOrFail(
          ({ workers }) => workers === 0,
          ({ workers }) => new WorkersAlive({ workers })
        )
      )
    yield* step([])
    let drained: Drained = { arrived: yield* unparkAll(redis, keys), inHand: 0, due: 0, later: 0 }
    const delayed = yield* membersOf(redis, keys.delayed)
    const ids = [...delayed, ...(yield* membersOf(redis, keys.inflight))].sort((a, b) => sequence(b) - sequence(a))
    for (let start = 0; start < ids.length; ) {
      const { passed, ...moved } = yield* step(ids.slice(start, start + chunk))
      start += passed
      drained = {
        ...drained,
        inHand: drained.inHand + moved.inHand,
        due: drained.due + moved.due,
        later: drained.later + moved.later
      }
      yield* onProgress(drained, ids.length - start)
    }
    return drained
  })
