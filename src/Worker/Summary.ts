/**
 * What there is of the queue, in a line of the log whenever that changed.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Huey from "../Huey.ts"
import * as JobId from "../JobId.ts"
import type { JobStore } from "../JobStore.ts"

export interface Options {
  readonly store: Context.Tag.Service<JobStore>
  readonly codec: Huey.Codec
  /** The store's time, milliseconds since the epoch. */
  readonly now: Effect.Effect<number>
}

/** For how many milliseconds the message has waited, where its id tells: Python's ids do not. */
export const age = (codec: Huey.Codec, bytes: Uint8Array, now: number): Option.Option<number> =>
  Option.map(
    Option.flatMap(Either.getRight(codec.decode(bytes)), ({ id }) => JobId.enqueuedAt(id)),
    (enqueuedAt) => Math.max(0, now - enqueuedAt)
  )

/** Says how much there is of what, when it is not what was said last. */
export const make = ({ codec, now, store }: Options): Effect.Effect<void> => {
  let said = ""
  const oldest = Effect.gen(function* () {
    const [bytes] = yield* store.peek("waiting", 1)
    const waited = bytes === undefined ? Option.none() : age(codec, bytes, yield* now)
    return Option.match(waited, { onNone: () => "", onSome: (millis) => `, oldest ${Math.round(millis / 1_000)} s` })
  })
  return Effect.gen(function* () {
    const { dead, inHand, retrying, scheduled, waiting } = yield* store.counts
    const age = waiting > 0 ? yield* oldest : ""
    const line = `waiting ${waiting}${age}, scheduled ${scheduled}, in hand ${inHand}, retrying ${retrying}, dead ${dead}`
    if (line === said) return
    said = line
    yield* Effect.logInfo(line)
  }).pipe(Effect.catchAll((error) => Effect.logDebug(`no counts: ${error.detail}`)))
}
