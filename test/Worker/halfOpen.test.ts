/**
 * A network that swallows what is sent, in one direction or both, and closes nothing: the worst kind of outage.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as SwallowingProxy from "../Redis/SwallowingProxy.ts"
import * as OnRedis from "../services/OnRedis.ts"
import * as RedisServer from "../services/RedisServer.ts"

describe("a worker behind a network that swallows", { concurrent: true }, () => {
  for (const what of ["requests", "replies", "all"] as const) {
    it.scopedLive(
      `${what}: it takes again within two seconds, and loses nothing`,
      () =>
        Effect.gen(function* () {
          const server = yield* RedisServer.make()
          const proxy = yield* SwallowingProxy.make(server.port)
          const worker = yield* OnRedis.make({
            worker: { host: "127.0.0.1", port: proxy.port, db: 0 },
            producer: { host: "127.0.0.1", port: server.port, db: 0 }
          })
          yield* worker.enqueue("before")
          expect(yield* worker.next).toBe("before")
          proxy.swallow(what)
          yield* worker.enqueue("during")
          const complained = Effect.sync(() =>
            worker.lines.some((line) => line.startsWith("ERROR Redis does not answer"))
          )
          yield* Effect.repeat(complained, {
            until: (found) => found,
            schedule: Schedule.spaced("20 millis").pipe(Schedule.upTo("20 seconds"))
          })
          // Some more tries are swallowed, which Redis may have executed.
          const before = proxy.accepted()
          yield* Effect.repeat(
            Effect.sync(() => proxy.accepted() >= before + 3),
            { until: (tried) => tried, schedule: Schedule.spaced("20 millis").pipe(Schedule.upTo("20 seconds")) }
          )
          expect(yield* worker.isTaking("3 seconds")).toBe(false)
          proxy.swallow("nothing")
          const [took, text] = yield* Effect.timed(worker.next)
          expect(text).toBe("during")
          expect(Duration.toMillis(took)).toBeLessThan(2_000)
          yield* worker.enqueue("after")
          expect(yield* worker.next).toBe("after")
          const errors = worker.lines.filter((line) => line.startsWith("ERROR"))
          expect(new Set(errors).size).toBe(errors.length)
        }),
      60_000
    )
  }
})
