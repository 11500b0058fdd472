/**
 * The event loop of this process.
 */
import * as Effect from "effect/Effect"

/** Waits until it has come round: the replies that were there have been read, and what waited for them has run. */
export const nextTurn: Effect.Effect<void> = Effect.async((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
