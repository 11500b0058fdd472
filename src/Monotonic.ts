/**
 * Time that no setting of a clock moves: for how long something takes, never for when it is.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Milliseconds since some moment, by a clock that is at hand. */
export const unsafeMillis = (clock: Clock.Clock): number => Math.floor(Number(clock.unsafeCurrentTimeNanos()) / 1e6)

/** Milliseconds since some moment. */
export const millis: Effect.Effect<number> = Effect.clockWith((clock) => Effect.sync(() => unsafeMillis(clock)))
