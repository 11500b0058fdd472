/**
 * Effects that are their results already, as most of those that a mail is made of are: what follows from one is done at once,
 * and costs no step of the runtime.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

/** Whether it is; whoever answers with an Either has decided. */
export const isDecided = <A, E, R>(effect: Effect.Effect<A, E, R>): effect is Either.Either<A, E> =>
  Either.isEither(effect)

/** `Effect.flatMap`, but that `next` is called at once where the effect is decided, and not when the result is run. */
export const flatMap = <A, E, R, B, E2, R2>(
  effect: Effect.Effect<A, E, R>,
  next: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2, R | R2> => {
  if (!isDecided(effect)) return Effect.flatMap(effect, next)
  return Either.isRight(effect) ? next(effect.right) : Effect.fail(effect.left)
}

/** `Effect.map`; of what is decided `change` is called at once, and the result is decided too. */
export const map = <A, E, R, B>(effect: Effect.Effect<A, E, R>, change: (value: A) => B): Effect.Effect<B, E, R> =>
  isDecided(effect) ? Either.map(effect, change) : Effect.map(effect, change)

/** `Effect.mapError`; of what is decided `change` is called at once, and the result is decided too. */
export const mapError = <A, E, R, E2>(
  effect: Effect.Effect<A, E, R>,
  change: (error: E) => E2
): Effect.Effect<A, E2, R> => (isDecided(effect) ? Either.mapLeft(effect, change) : Effect.mapError(effect, change))
