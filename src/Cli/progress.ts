/**
 * What a command is at, for whoever waits for it.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/** Nobody wonders before, and no screen fills up. */
const interval = "2 seconds"

/** Says on stderr every two seconds what `effect` is at, until it ends; what takes less is never spoken of. */
export const during = <A, E, R>(effect: Effect.Effect<A, E, R>, line: () => string): Effect.Effect<A, E, R> => {
  const say = Effect.suspend(() => Console.error(line()))
  // The first one comes after the first interval.
  const saying = Effect.schedule(say, Schedule.spaced(interval))
  return Effect.scoped(Effect.zipRight(Effect.forkScoped(saying), effect))
}
