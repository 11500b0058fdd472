/**
 * What stands ahead in huey's schedule, and the way past it for jobs that are overdue by their own time.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as EventLoop from "../EventLoop.ts"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import * as Script from "../Redis/Script.ts"
import { allowWrites, answerBytes, keyNames, number } from "./custody.ts"

/** No zone is further behind UTC, in which a score is ahead of its job's time. Seconds. */
const furthest = 12 * 3_600

/** A page has so many messages, or fewer that are large: a few milliseconds of Redis' time. */
const page = 500

interface Waiting {
  readonly bytes: Uint8Array
  readonly score: string
}

/** Some messages in their order, and whether others stand behind them. */
interface Page {
  readonly more: boolean
  readonly found: ReadonlyArray<Waiting>
}

const waiting = (pair: unknown): ReadonlyArray<Waiting> => {
  const [bytes, score, ...rest]: ReadonlyArray<unknown> = Array.isArray(pair) ? pair : []
  return bytes instanceof Uint8Array && score instanceof Uint8Array && rest.length === 0
    ? [{ bytes, score: Buffer.from(score).toString("latin1") }]
    : []
}

const decodePage = (reply: unknown): Either.Either<Page, string> => {
  const [more, pairs]: ReadonlyArray<unknown> = Array.isArray(reply) ? reply : []
  const found = Array.isArray(pairs) ? pairs.flatMap(waiting) : []
  return (more === 0 || more === 1) && Array.isArray(pairs) && found.length === pairs.length
    ? Either.right({ more: more === 1, found })
    : Either.left("not a page of messages")
}

/**
 * Messages that are not due by their scores, but may be by their own time: those behind the first `skip` of the score
 * `after`. They are read one by one, so that Redis never holds more of them than a page.
 */
const ahead = Script.make({
  name: "ahead",
  keys: keyNames,
  args: ["after", "skip", "limit", "max_bytes", "furthest", "schedule_offset"],
  body: `
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local due = redis.call('ZCOUNT', key_schedule, '-inf', now + arg_schedule_offset)
local behind = redis.call('ZCOUNT', key_schedule, '-inf', '(' .. arg_after) + arg_skip
local last = redis.call('ZCOUNT', key_schedule, '-inf', now + arg_furthest) - 1
local rank = math.max(due, behind)
local stop = math.min(last, rank + arg_limit - 1)
local found, size = {}, 0
while rank <= stop and size < tonumber(arg_max_bytes) do
  local entry = redis.call('ZRANGE', key_schedule, rank, rank, 'WITHSCORES')
  found[#found + 1] = entry
  size = size + #entry[1]
  rank = rank + 1
end
return { rank <= last and 1 or 0, found }
`,
  decode: decodePage
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

/** Where a page begins: behind the first `skip` messages of the score `after`. */
interface Place {
  readonly after: string
  readonly skip: number
}

const front: Place = { after: "-inf", skip: 0 }

/** Other work goes on between two of them: one that unpacks to many megabytes takes its time. */
const select = (found: ReadonlyArray<Waiting>, isDue: (bytes: Uint8Array) => boolean) =>
  Effect.map(
    Effect.forEach(found, (message) => Effect.map(EventLoop.nextTurn, () => (isDue(message.bytes) ? [message] : []))),
    Arr.flatten
  )

/**
 * Looks at the first page, where all are whose place is wrong by the same time, and at one more, each time the next one;
 * answers with how many were moved. A round through a long schedule takes longer than scores are wrong by: then a message
 * that stands among others that are not due comes to the first page by its score before.
 */
export const make = (redis: RedisConnection, keys: Keys, scheduleOffset: Effect.Effect<number>) => {
  /** By score: those in front become due meanwhile, and no longer count. */
  let next: Place | undefined

  const look = Effect.fnUntraced(function* (place: Place, isDue: (bytes: Uint8Array) => boolean) {
    const schedule_offset = yield* scheduleOffset
    const { found, more } = yield* redis.run(
      ahead,
      { ...keys },
      { ...place, limit: page, max_bytes: answerBytes, furthest, schedule_offset }
    )
    const overdue = yield* select(found, isDue)
    const moved =
      overdue.length === 0
        ? 0
        : yield* redis.run(
            advance,
            { ...keys },
            {},
            overdue.map(({ bytes }) => bytes)
          )
    const after = more ? found.at(-1)?.score : undefined
    if (after === undefined) return { moved, behind: undefined }
    const kept = found.filter((message) => message.score === after && !overdue.includes(message)).length
    return { moved, behind: { after, skip: kept + (after === place.after ? place.skip : 0) } }
  })

  return (isDue: (bytes: Uint8Array) => boolean): Effect.Effect<number, RedisError> =>
    Effect.gen(function* () {
      const first = yield* look(front, isDue)
      if (first.behind === undefined) return first.moved
      const { after, skip } = first.behind
      const isFurther = (place: Place) =>
        Number(place.after) > Number(after) || (place.after === after && place.skip > skip)
      const second = yield* look(next !== undefined && isFurther(next) ? next : first.behind, isDue)
      next = second.behind
      return first.moved + second.moved
    })
}
