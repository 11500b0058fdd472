/**
 * Whether the time zone of huey's schedule is in doubt, for whoever starts a worker.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { EdumfaConfig, type EdumfaConfigError } from "../EdumfaConfig.ts"
import * as TimeZone from "../Huey/TimeZone.ts"

/** A line with what to write, or none. TZ is the system's and no setting of eduMFA: the file does not count. */
export const doubts: Effect.Effect<ReadonlyArray<string>, EdumfaConfigError, EdumfaConfig> = Effect.gen(function* () {
  const { get } = yield* EdumfaConfig
  const tz = yield* Effect.orElseSucceed(Config.option(Config.string("TZ")), Option.none)
  return Option.toArray(yield* get(TimeZone.doubt(tz)))
})
