/**
 * The first start on an old backlog: a site where no worker has run for months must not mail its dead codes unasked.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { Admission, BacklogDecision, DeadLetter } from "../JobStore.ts"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"
import * as Script from "../Redis/Script.ts"
import {
  allowWrites,
  answerBytes,
  custody,
  gathering,
  keyNames,
  messages,
  number,
  numbers,
  presence,
  withWorkers
} from "./custody.ts"

/** How many messages one call buries: a few milliseconds of Redis' time. */
const chunk = 500

/**
 * Whether a worker may take from this queue: 0, or how many messages wait that no worker of ours has ever decided about.
 * `decision` is `send`, `bury` or empty; once one was made, or few enough wait, the queue is ours for ever. What is to
 * be buried is counted then, lest later messages are. A worker that may take has given its first sign of life.
 */
const admitScript = Script.make({
  name: "admit",
  keys: withWorkers,
  args: ["worker", "lease", "limit", "decision", "schedule_offset"],
  body: `${custody}${presence}
${allowWrites}
local function admitted(burying)
  announce(arg_worker, arg_lease)
  return { 0, burying }
end
if redis.call('HEXISTS', key_counters, 'served') == 1 then return admitted(0) end
local burying = tonumber(redis.call('HGET', key_counters, 'burying') or 0)
if burying > 0 then return admitted(burying) end
local waiting = redis.call('LLEN', key_queue) + redis.call('LLEN', key_arrived)
  + redis.call('ZCOUNT', key_schedule, '-inf', now / 1000 + arg_schedule_offset)
local limit = tonumber(arg_limit)
if limit > 0 and waiting > limit and arg_decision == '' then return { waiting, 0 } end
if waiting > 0 and arg_decision == 'bury' then
  -- What falls due later is no part of it.
  redis.call('HSET', key_counters, 'burying', waiting, 'burying_due', now / 1000 + arg_schedule_offset)
  return admitted(waiting)
end
redis.call('HSET', key_counters, 'served', score(now))
return admitted(0)
`,
  decode: (reply) => {
    const [undecided, burying] = numbers(reply) ?? []
    return undecided === undefined || burying === undefined
      ? Either.left("not two numbers")
      : Either.right({ undecided, burying })
  }
})

/** The oldest messages of the backlog, at most `limit`, and no more when `max_bytes` are passed. */
const oldest = Script.make({
  name: "oldest",
  keys: keyNames,
  args: ["limit", "max_bytes"],
  body: `${gathering}
for _, list in ipairs({ key_arrived, key_queue }) do
  local index = -1
  local bytes = redis.call('LINDEX', list, index)
  while bytes do
    if is_full(bytes) then return found end
    index = index - 1
    bytes = redis.call('LINDEX', list, index)
  end
end
local due = redis.call('HGET', key_counters, 'burying_due') or '-inf'
for _, bytes in ipairs(redis.call('ZRANGEBYSCORE', key_schedule, '-inf', due, 'LIMIT', 0, arg_limit)) do
  if is_full(bytes) then return found end
end
return found
`,
  decode: messages
})

/**
 * Makes dead letters of the oldest messages of a backlog, while it is what it was when it was looked at: `digest letter`
 * of each behind the named arguments. Answers with how many are left to bury.
 */
const buryScript = Script.make({
  name: "bury",
  keys: keyNames,
  args: ["dead_cap"],
  body: `${custody}
${allowWrites}
local left = tonumber(redis.call('HGET', key_counters, 'burying') or 0)
local until_due = redis.call('HGET', key_counters, 'burying_due') or '-inf'
local function next_message()
  for _, list in ipairs({ key_arrived, key_queue }) do
    local bytes = redis.call('LINDEX', list, -1)
    if bytes then return bytes, list end
  end
  return redis.call('ZRANGEBYSCORE', key_schedule, '-inf', until_due, 'LIMIT', 0, 1)[1], key_schedule
end
for i = first_rest, #ARGV, 2 do
  local bytes, from = next_message()
  if left <= 0 or not bytes or redis.sha1hex(bytes) ~= ARGV[i] then break end
  redis.call('XADD', key_dead, 'MAXLEN', '~', arg_dead_cap, '*', 'letter', ARGV[i + 1], 'history', '')
  if from == key_schedule then redis.call('ZREM', from, bytes) else redis.call('RPOP', from) end
  left = left - 1
end
-- Somebody else may have taken from the list meanwhile.
if left <= 0 or not next_message() then
  left = 0
  redis.call('HDEL', key_counters, 'burying', 'burying_due')
  redis.call('HSET', key_counters, 'served', score(now))
else
  redis.call('HSET', key_counters, 'burying', left)
end
return left
`,
  decode: number
})

/** Where the backlog is. */
export interface Place {
  readonly redis: RedisConnection
  readonly keys: Keys
  /** Seconds between the scores of huey's schedule and Unix time, now. */
  readonly scheduleOffset: Effect.Effect<number>
  readonly deadCap: number
  /** The worker that asks, and how long its signs of life count, milliseconds. */
  readonly worker: string
  readonly lease: number
}

/** Asks to take; see `JobStore`. */
export const admit = (
  { redis, keys, scheduleOffset, worker, lease }: Place,
  limit: number,
  decision: BacklogDecision | undefined
): Effect.Effect<Admission, RedisError> =>
  Effect.map(
    Effect.flatMap(scheduleOffset, (schedule_offset) =>
      redis.run(admitScript, { ...keys }, { worker, lease, limit, decision: decision ?? "", schedule_offset })
    ),
    ({ burying, undecided }): Admission =>
      undecided > 0
        ? { _tag: "Undecided", waiting: undecided }
        : burying > 0
          ? { _tag: "Burying", left: burying }
          : { _tag: "Admitted" }
  )

/** Buries the oldest messages of the backlog, some hundred of them; answers with how many are left. */
export const bury = (
  { redis, keys, deadCap }: Place,
  letter: (bytes: Uint8Array) => DeadLetter
): Effect.Effect<number, RedisError> =>
  Effect.gen(function* () {
    const found = yield* redis.run(oldest, { ...keys }, { limit: chunk, max_bytes: answerBytes })
    const pairs = found.flatMap((bytes) => [
      createHash("sha1").update(bytes).digest("hex"),
      JSON.stringify(letter(bytes))
    ])
    return yield* redis.run(buryScript, { ...keys }, { dead_cap: deadCap }, pairs)
  })
