/**
 * The event loop of this process.
 */
import * as Effect from "effect/Effect"

/**
 * Waits until it has come round so many times, or until `enough` after one of them. Where that is interrupted it comes round
 * for nobody: to take that back would cost more each time.
 */
export const turns = (most: number, enough: () => boolean): Effect.Effect<void> =>
  Effect.async((resume) => {
    let left = most
    const turn = () => {
      left -= 1
      if (left <= 0 || enough()) resume(Effect.void)
      else setImmediate(turn)
    }
    setImmediate(turn)
  })

/** Waits until it has come round: the replies that were there have been read, and what waited for them has run. */
export const nextTurn: Effect.Effect<void> = turns(1, () => true)
