/**
 * The states of the breakers on Redis: shared by all workers of a queue, and there after a restart.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Keys from "../../Redis/keys.ts"
import * as Script from "../../Redis/Script.ts"
import { Redis } from "../../Redis.ts"
import { BreakerStore, BreakerStoreError, maxStates } from "./BreakerStore.ts"

/** What nobody wrote for a week is of a mail server that is not used any more. Milliseconds. */
const maxAge = 7 * 24 * 3_600_000

/**
 * Compares and swaps. Where it is executed twice the second time finds another state than the expected one, and answers
 * with what the first wrote. The time of the last writing stands in front of a state; a new one beyond the cap pushes
 * out what is too old, or else the oldest.
 */
const exchange = Script.make({
  name: "breaker",
  keys: ["breaker"],
  args: ["name", "swap", "expected", "next", "cap", "age"],
  body: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stored = redis.call('HGET', key_breaker, arg_name) or ''
if arg_swap == '1' and stored == arg_expected then
  if stored == '' and redis.call('HLEN', key_breaker) >= tonumber(arg_cap) then
    local oldest, oldest_at, pushed = nil, math.huge, false
    local all = redis.call('HGETALL', key_breaker)
    for i = 1, #all, 2 do
      local at = tonumber(string.match(all[i + 1], '^(%d+)|')) or 0
      if at < now - arg_age then
        redis.call('HDEL', key_breaker, all[i])
        pushed = true
      elseif at < oldest_at then
        oldest, oldest_at = all[i], at
      end
    end
    if not pushed and oldest then redis.call('HDEL', key_breaker, oldest) end
  end
  redis.call('HSET', key_breaker, arg_name, arg_next)
  redis.call('PEXPIRE', key_breaker, arg_age)
  stored = arg_next
end
return { string.format('%.0f', now), stored }
`,
  decode: (reply) => {
    const [now, stored] = Array.isArray(reply) ? reply : []
    return now instanceof Uint8Array && stored instanceof Uint8Array
      ? Either.right({ now: Number(Buffer.from(now).toString()), stored: Buffer.from(stored).toString() })
      : Either.left("not a time and a state")
  }
})

/** The states of the queue with this name, over a connection of their own. */
export const make = (queueName: string): Effect.Effect<Context.Tag.Service<BreakerStore>, never, Redis | Scope.Scope> =>
  Effect.gen(function* () {
    const redis = yield* Redis
    const connection = yield* redis.connect("worker")
    const { breaker } = Keys.make(queueName)
    return {
      exchange: (name, swap) =>
        connection
          .run(
            exchange,
            { breaker },
            {
              name,
              swap: swap === undefined ? 0 : 1,
              expected: swap?.expected ?? "",
              next: swap?.next ?? "",
              cap: maxStates,
              age: maxAge
            }
          )
          .pipe(Effect.mapError((cause) => new BreakerStoreError({ detail: cause.detail, cause })))
    }
  })

/** Opens its connection with the layer. */
export const layer = (queueName: string): Layer.Layer<BreakerStore, never, Redis> =>
  Layer.scoped(BreakerStore, make(queueName))
