/**
 * Says that the store does not answer: at once, then once a minute, and once when it answers again.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { JobStoreError } from "../JobStore.ts"

/** Often enough to be seen, too rare to fill a disk. */
const pause = Duration.toMillis("1 minute")

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
}

export const make: Effect.Effect<Outage> = Effect.map(Ref.make<Down | undefined>(undefined), (ref) => ({
  failed: Effect.fnUntraced(function* (error) {
    const now = yield* Clock.currentTimeMillis
    const down = yield* Ref.get(ref)
    const { since, said } = down ?? { since: now, said: HashMap.empty<string, number>() }
    if (now - Option.getOrElse(HashMap.get(said, error.detail), () => now - pause) >= pause) {
      yield* Effect.logError(`${error.detail}; jobs wait, trying on`)
      yield* Ref.set(ref, { since, said: HashMap.set(said, error.detail, now) })
    }
    return now - since
  }),
  over: Effect.flatMap(Ref.get(ref), (down) =>
    down === undefined
      ? Effect.void
      : Effect.gen(function* () {
          yield* Ref.set(ref, undefined)
          const millis = (yield* Clock.currentTimeMillis) - down.since
          yield* Effect.logInfo(`the queue answers again after ${Math.round(millis / 1_000)} s`)
        })
  )
}))
