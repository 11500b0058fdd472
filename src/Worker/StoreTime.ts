/**
 * The store's time between two of its answers. By it jobs expire: a worker's own clock may be wrong, or jump.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Monotonic from "../Monotonic.ts"

export interface StoreTime {
  /** Milliseconds since the epoch. Before the store's first answer by the worker's own clock. */
  readonly now: Effect.Effect<number>
  /** The same by a clock that is at hand, for what an attempt does without waiting. */
  readonly unsafeNow: (clock: Clock.Clock) => number
  /** The store just said that it is this late, at monotonic milliseconds `steady`. */
  readonly sync: (now: number, steady: number) => void
}

export const make: Effect.Effect<StoreTime> = Effect.map(
  Effect.zipWith(Clock.currentTimeMillis, Monotonic.millis, (wall, steady) => wall - steady),
  (initial) => {
    let offset = initial
    return {
      now: Effect.map(Monotonic.millis, (steady) => steady + offset),
      unsafeNow: (clock) => Monotonic.unsafeMillis(clock) + offset,
      sync: (now, steady) => {
        offset = now - steady
      }
    }
  }
)
