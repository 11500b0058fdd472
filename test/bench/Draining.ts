/**
 * Measures a worker by what Redis holds: the rate at which a queue empties, or at which one that is kept full is served.
 */
import * as Effect from "effect/Effect"
import { BenchError } from "./BenchError.ts"
import type { Args } from "./Payload.ts"
import { now } from "./programs/Program.ts"
import type { Figures } from "./Row.ts"
import type { Waiting } from "./Waiting.ts"

/** Milliseconds between two looks: a hundredth of the shortest run. */
const glance = 10

const look = (waiting: Waiting) => Effect.map(waiting.left, (left) => ({ left, at: now() }))

/** Waits until the number is as wanted, or more. */
export const until = (number: Effect.Effect<number>, isWanted: (value: number) => boolean): Effect.Effect<void> =>
  number.pipe(Effect.zipLeft(Effect.sleep(glance)), Effect.repeat({ until: isWanted }), Effect.asVoid)

/**
 * Jobs a second, from the last look at which none had ended to the first at which all had. A job that ended without
 * being done took no work, so there must be none but `poison`.
 */
export const drained = (waiting: Waiting, poison = 0): Effect.Effect<Figures, BenchError> =>
  Effect.gen(function* () {
    const all = yield* waiting.left
    let first = now()
    const last = yield* Effect.repeat(
      Effect.tap(Effect.delay(look(waiting), glance), ({ at, left }) =>
        Effect.sync(() => {
          if (left === all) first = at
        })
      ),
      { until: ({ left }) => left === 0 }
    )
    const dead = yield* waiting.dead
    if (dead === poison) return { rate: (1_000 * all) / (last.at - first) }
    return yield* new BenchError({ reason: "Undone", detail: `${dead} jobs were not done, not ${poison}` })
  })

/** How far a queue is that is kept at its length. */
export interface Reached {
  /** Jobs that have ended so far. */
  readonly ended: number
  /** Milliseconds, on the clock that all processes share. */
  readonly at: number
}

/**
 * Keeps so many jobs waiting or in hand, beside others that do not end; answers with the effect that looks once and fills
 * up what is missing.
 */
export const keep = (waiting: Waiting, length: number, args: Args): Effect.Effect<Effect.Effect<Reached>> =>
  Effect.map(waiting.left, (beside) => {
    let filled = 0
    return Effect.gen(function* () {
      const left = (yield* waiting.left) - beside
      const reached = { ended: filled - left, at: now() }
      yield* waiting.fill(length - left, args)
      filled += length - left
      yield* Effect.sleep(glance)
      return reached
    })
  })
