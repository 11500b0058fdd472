/**
 * What `check` and `drain` have in common: how they end.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as ScriptedServer from "../Redis/ScriptedServer.ts"
import * as Command from "../services/Command.ts"
import { queueCfg } from "../services/Site.ts"

describe.each(["check", "drain"])("%s", (name) => {
  it.scopedLive("has failed where it is interrupted, so that what follows in a script is not done", () =>
    Effect.gen(function* () {
      const redis = yield* ScriptedServer.make(() => undefined)
      const cwd = yield* Command.directory({ "edumfa.cfg": queueCfg(redis.port) })
      const { ended, kill } = yield* Command.command([name, "--config", "edumfa.cfg"], { cwd })
      yield* Effect.repeat(Effect.sync(redis.open), {
        schedule: Schedule.spaced("20 millis"),
        until: (open) => open > 0
      })
      yield* kill("SIGTERM")
      expect(yield* Effect.flatten(ended)).toEqual({
        code: 1,
        signal: null,
        stdout: "",
        // A slow machine may have waited long enough to be told.
        stderr: expect.stringMatching(
          new RegExp(`^(?:waiting for .*\n)?edumfa-queue-huey: ${name} was interrupted before its end\n$`)
        )
      })
    })
  )
})
