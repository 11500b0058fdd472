/**
 * `drain`: puts back what the workers of the queue hold, for a Python worker that takes over.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as EdumfaConfig from "../EdumfaConfig.ts"
import * as ConfiguredStore from "../JobStore/Configured.ts"
import type { Drained, WorkersAlive } from "../JobStore/Drained.ts"
import { JobStore, type JobStoreError, type NoQueue } from "../JobStore.ts"
import { type Given, has, value } from "./Given.ts"
import { config, json, type Option, type Synopsis } from "./Option.ts"
import * as Progress from "./progress.ts"

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
  options: [force, json, config]
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

const object = (queue: string, drained: Drained, left: number) => {
  const { later, ...list } = drained
  return { queue, list, schedule: later, total: listed(drained) + later, left }
}

/** Puts everything back and says how much; fails while workers are alive. */
export const run = (
  given: Given
): Effect.Effect<
  void,
  EdumfaConfig.EdumfaConfigError | NoQueue | JobStoreError | WorkersAlive,
  FileSystem.FileSystem
> =>
  Effect.gen(function* () {
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
      const { inHand, retrying } = yield* store.counts
      const rest = inHand + retrying
      if (has(given, "json")) return yield* Console.log(JSON.stringify(object(store.name, drained, rest)))
      yield* Effect.forEach([store.name, ...lines(drained)], (line) => Console.log(line), { discard: true })
      if (rest > 0) yield* Console.log(`${rest} are held again: a worker is alive and takes on`)
    }).pipe(Effect.provide(layer))
  }).pipe(Effect.provide(EdumfaConfig.layer({ file: value(given, "config") })))
