/**
 * `drain`: puts back what the workers of the queue hold, for a Python worker that takes over.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as EdumfaConfig from "../EdumfaConfig.ts"
import * as ConfiguredStore from "../JobStore/Configured.ts"
import type { Drained, WorkersAlive } from "../JobStore/Drained.ts"
import { JobStore, type JobStoreError, type NoQueue } from "../JobStore.ts"
import * as Configuration from "./configuration.ts"
import { type Given, has } from "./Given.ts"
import { config, json, type Option, type Synopsis } from "./Option.ts"
import * as Progress from "./progress.ts"
import { remedied, urlKey } from "./remedy.ts"

const force = {
  long: "force",
  short: undefined,
  kind: "flag",
  help: "also while workers seem alive: what they have in hand is put back too, and may be mailed twice",
  group: "Options",
  effect: "works",
  source: "ours"
} as const satisfies Option

export const synopsis: Synopsis = {
  name: "drain",
  purpose: "Puts what the workers hold back where a Python worker finds it",
  options: [force, json, config],
  codes: "0 all of it is back, 1 it is not, 2 wrong usage or configuration"
}

const listed = ({ arrived, due, inHand }: Drained) => arrived + due + inHand

const none: Drained = { arrived: 0, inHand: 0, due: 0, later: 0 }

/** What was put back, a line for each place. */
const lines = (drained: Drained): ReadonlyArray<string> => {
  const { arrived, due, inHand, later } = drained
  const parts = [`${inHand} in hand`, `${due} to be tried again`, `${arrived} just woken up for`]
  return [
    ...(listed(drained) > 0
      ? [`put back on huey's list, the oldest to be taken next: ${listed(drained)} (${parts.join(", ")})`]
      : []),
    ...(later > 0 ? [`put into huey's schedule, for the time of their next try: ${later}`] : []),
    ...(listed(drained) + later === 0 ? ["nothing to put back: the workers hold nothing"] : [])
  ]
}

/** For scripts: the README shows all of its fields. */
const object = (queue: string, drained: Drained, left: number) => {
  const { later, ...list } = drained
  return { queue, list, schedule: later, total: listed(drained) + later, left }
}

/** A live worker took again what a drain put back. */
export class HeldAgain extends Data.TaggedError("HeldAgain")<{ readonly left: number }> {
  override get message() {
    return `${this.left} are held again: a worker is alive and takes on; stop it and drain again`
  }
}

/** Puts everything back and says how much; fails while workers are alive, and where one has taken again. */
export const run = (
  given: Given,
  name: Configuration.Name
): Effect.Effect<
  void,
  EdumfaConfig.EdumfaConfigError | NoQueue | JobStoreError | WorkersAlive | HeldAgain,
  FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const key = yield* urlKey
    const layer = yield* ConfiguredStore.choose
    yield* Effect.gen(function* () {
      const store = yield* JobStore
      let sofar = none
      let left: number | undefined
      const drained = yield* store
        .drain({
          force: has(given, "force"),
          onProgress: (drained, rest) =>
            Effect.sync(() => {
              sofar = drained
              left = rest
            })
        })
        .pipe(
          (draining) =>
            Progress.during(draining, () =>
              left === undefined ? `waiting for ${store.name}` : `put back ${listed(sofar) + sofar.later}, ${left} left`
            ),
          Effect.onError(() =>
            left === undefined
              ? Effect.void
              : Console.error(
                  `put back ${listed(sofar) + sofar.later} of ${listed(sofar) + sofar.later + left}; drain goes on there`
                )
          )
        )
      const total = listed(drained) + drained.later
      const { inHand, retrying } = yield* Effect.tapError(store.counts, () => Console.error(`put back ${total}`))
      const held = inHand + retrying
      const said = has(given, "json")
        ? [JSON.stringify(object(store.name, drained, held))]
        : [store.name, ...lines(drained)]
      yield* Effect.forEach(said, (line) => Console.log(line), { discard: true })
      if (held > 0) return yield* new HeldAgain({ left: held })
    }).pipe(
      Effect.provide(layer),
      Effect.catchTag("JobStoreError", (error) => remedied(error, key))
    )
  }).pipe(Effect.provide(Configuration.layer(given, name)))
