/**
 * The wake-up: a blocking move on a connection of its own. It is a hint and no more; polling works without it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RedisConnection } from "../Redis/Connection.ts"
import type { Keys } from "../Redis/keys.ts"
import type { RedisError } from "../Redis/RedisError.ts"

/** So long after the end of its wait a wake-up call must have answered. Milliseconds. */
const margin = 5_000

/** How often is looked for messages where the wake-up call is switched off. */
const pollInterval = Duration.seconds(1)

/** Returns when a message came or the wait, in seconds, is over; without a wait after a second. */
export const make = (
  redis: RedisConnection,
  keys: Keys,
  block: Option.Option<number>
): Effect.Effect<void, RedisError> => {
  if (Option.isNone(block)) return Effect.sleep(pollInterval)
  const seconds = block.value
  // BLMOVE came with Redis 6.2; BRPOPLPUSH does the same and is known everywhere.
  let move: "BLMOVE" | "BRPOPLPUSH" = "BLMOVE"
  const wait = Effect.suspend(() =>
    redis.use(
      (client) =>
        move === "BLMOVE"
          ? client.blmove(keys.queue, keys.arrived, "RIGHT", "LEFT", seconds)
          : client.brpoplpush(keys.queue, keys.arrived, Math.ceil(seconds)),
      Math.ceil(seconds) * 1_000 + margin
    )
  )
  return wait.pipe(
    Effect.catchIf(
      (error) => move === "BLMOVE" && error.reason === "Reply" && error.detail.includes("unknown command"),
      () => {
        move = "BRPOPLPUSH"
        return wait
      }
    ),
    Effect.asVoid
  )
}
