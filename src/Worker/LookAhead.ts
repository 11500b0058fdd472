/**
 * A look at the jobs that wait for their time: one whose own time has come is not left lying because its place among the
 * others says something else, as it does when it was written in another time zone or clocks have changed since.
 */
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Huey from "../Huey.ts"
import type { JobStore } from "../JobStore.ts"
import type { StoreTime } from "./StoreTime.ts"

/** A one-time code lives for two minutes. */
export const interval = Duration.seconds(30)

/** What is due at this very moment is fetched by its place, and clocks differ a little. Milliseconds. */
const slack = 1_000

/** One look. */
export const make = (
  store: Context.Tag.Service<JobStore>,
  storeTime: StoreTime,
  codec: Huey.Codec
): Effect.Effect<void> =>
  Effect.flatMap(storeTime.now, (now) =>
    store.advance((bytes) =>
      Either.match(codec.decode(bytes), {
        // What cannot be read waits for its place in the schedule.
        onLeft: () => false,
        onRight: ({ eta }) => eta !== undefined && eta <= now - slack
      })
    )
  ).pipe(
    Effect.flatMap((count) =>
      count === 0
        ? Effect.void
        : Effect.logWarning(
            `${count === 1 ? "a scheduled job was" : `${count} scheduled jobs were`} overdue and go on now: set ` +
              "EDUMFA_QUEUE_WORKER_TIME_ZONE to the time zone of Python's workers"
          )
    ),
    Effect.catchAll((error) => Effect.logDebug(`no look ahead: ${error.detail}`))
  )
