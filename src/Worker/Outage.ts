/**
 * What a worker does while its store does not answer: it tries on, and says so at once, then once a minute, and once when
 * it answers again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { JobStoreError } from "../JobStore.ts"
import * as Monotonic from "../Monotonic.ts"

/** Between two tries: soon back, and far from spinning. */
export const storePause = Duration.millis(500)

/** Before the second try, and twice as long before each further one up to {@link storePause}: most links come back at once. */
const firstPause = Duration.millis(50)

/** Often enough to be seen, too rare to fill a disk. */
const lineEvery = Duration.toMillis("1 minute")

interface Down {
  readonly since: number
  /** When each complaint was last said: they may take turns. */
  readonly said: HashMap.HashMap<string, number>
}

export interface Outage {
  /** Notes a failure; answers for how many milliseconds there have been nothing but failures. */
  readonly failed: (error: JobStoreError) => Effect.Effect<number>
  /** Notes a success. */
  readonly over: Effect.Effect<void>
  /**
   * Asks the store until it answers, `meanwhile` between the tries. Fails only where the store has never answered and
   * `wait` is over.
   */
  readonly persist: <A, R>(
    question: Effect.Effect<A, JobStoreError, R>,
    meanwhile?: Effect.Effect<void>
  ) => Effect.Effect<A, JobStoreError, R>
}

/** `wait`: how long a store may not answer at the start; absent: for ever. */
export const make = (wait: Duration.Duration | undefined): Effect.Effect<Outage> =>
  Effect.sync(() => {
    let answered = false
    let down: Down | undefined
    const failed: Outage["failed"] = Effect.fnUntraced(function* (error) {
      const now = yield* Monotonic.millis
      const { since, said } = down ?? { since: now, said: HashMap.empty<string, number>() }
      const isNew = now - Option.getOrElse(HashMap.get(said, error.detail), () => now - lineEvery) >= lineEvery
      if (isNew) yield* Effect.logError(`${error.detail}; jobs wait, trying on`)
      down = { since, said: isNew ? HashMap.set(said, error.detail, now) : said }
      return now - since
    })
    const over: Outage["over"] = Effect.suspend(() => {
      if (down === undefined) return Effect.void
      const { since } = down
      down = undefined
      return Effect.flatMap(Monotonic.millis, (now) =>
        Effect.logInfo(`the queue answers again after ${Math.round((now - since) / 1_000)} s`)
      )
    })
    const persist: Outage["persist"] = (question, meanwhile = Effect.void) => {
      const ask = (pause: Duration.Duration): typeof question =>
        Effect.matchEffect(question, {
          onSuccess: (answer) => {
            answered = true
            return down === undefined ? Effect.succeed(answer) : Effect.as(over, answer)
          },
          onFailure: (error) =>
            Effect.flatMap(failed(error), (silent) => {
              if (!answered && wait !== undefined && silent >= Duration.toMillis(wait)) return Effect.fail(error)
              const next = Effect.suspend(() => ask(Duration.min(Duration.times(pause, 2), storePause)))
              return Effect.sleep(pause).pipe(Effect.zipRight(meanwhile), Effect.zipRight(next))
            })
        })
      return ask(firstPause)
    }
    return { failed, over, persist }
  })
