/**
 * What a worker does while its store does not answer: it tries on, and says so at once, then once a minute, and once when
 * it answers again.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
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
  Effect.map(Ref.make<Down | undefined>(undefined), (ref) => {
    let answered = false
    const failed: Outage["failed"] = Effect.fnUntraced(function* (error) {
      const now = yield* Monotonic.millis
      const down = yield* Ref.get(ref)
      const { since, said } = down ?? { since: now, said: HashMap.empty<string, number>() }
      const isNew = now - Option.getOrElse(HashMap.get(said, error.detail), () => now - lineEvery) >= lineEvery
      if (isNew) yield* Effect.logError(`${error.detail}; jobs wait, trying on`)
      yield* Ref.set(ref, { since, said: isNew ? HashMap.set(said, error.detail, now) : said })
      return now - since
    })
    const over: Outage["over"] = Effect.flatMap(Ref.get(ref), (down) =>
      down === undefined
        ? Effect.void
        : Effect.gen(function* () {
            yield* Ref.set(ref, undefined)
            const millis = (yield* Monotonic.millis) - down.since
            yield* Effect.logInfo(`the queue answers again after ${Math.round(millis / 1_000)} s`)
          })
    )
    const persist: Outage["persist"] = (question, meanwhile = Effect.void) =>
      Effect.gen(function* () {
        for (let pause = firstPause; ; pause = Duration.min(Duration.times(pause, 2), storePause)) {
          const answer = yield* Effect.either(question)
          if (answer._tag === "Right") {
            answered = true
            yield* over
            return answer.right
          }
          const silent = yield* failed(answer.left)
          if (!answered && wait !== undefined && silent >= Duration.toMillis(wait)) return yield* answer.left
          yield* Effect.sleep(pause)
          yield* meanwhile
        }
      })
    return { failed, over, persist }
  })
