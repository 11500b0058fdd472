/**
 * What a worker does beside its loop, again and again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { thrown } from "../QueueLogger/redact.ts"

/** Beside the loop nothing may end for ever by a mistake, unseen. */
export const lasting = <A, E, R>(what: string, effect: Effect.Effect<A, E, R>): Effect.Effect<void, never, R> =>
  Effect.catchAllCause(Effect.asVoid(effect), (cause) =>
    Effect.zipRight(Effect.logError(`${what} failed: ${thrown(cause)}`), Effect.sleep(Duration.seconds(1)))
  )

/** Does it for ever, so long before each time: the driver of a schedule costs an idle worker more than what it does. */
export const every = <R>(
  interval: Duration.Duration,
  effect: Effect.Effect<void, never, R>
): Effect.Effect<never, never, R> => {
  const round = Effect.zipRight(Effect.sleep(interval), effect)
  const rounds = Effect.whileLoop({ while: () => true, body: () => round, step: () => {} })
  return Effect.zipRight(rounds, Effect.never)
}
