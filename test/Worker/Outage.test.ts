import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import { JobStoreError } from "../../src/JobStore.ts"
import * as Outage from "../../src/Worker/Outage.ts"

const error = (detail: string) => new JobStoreError({ reason: "Unavailable", detail })

/** What is logged, beside what is asked of it. */
const logging = () => {
  const lines: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    lines.push(`${logLevel.label} ${String(message)}`)
  })
  return { lines, layer: Logger.add(logger) }
}

describe("Outage", () => {
  it.effect("says at once that the store does not answer, then once a minute, and once that it does again", () => {
    const { lines, layer } = logging()
    return Effect.gen(function* () {
      const outage = yield* Outage.make(undefined)
      yield* outage.over
      for (let second = 0; second < 125; second++) {
        expect(yield* outage.failed(error("Redis is gone"))).toBe(second * 1_000)
        yield* TestClock.adjust("1 second")
      }
      expect(lines).toEqual(Array.from({ length: 3 }, () => "ERROR Redis is gone; jobs wait, trying on"))
      yield* outage.over
      yield* outage.over
      expect(lines.slice(3)).toEqual(["INFO the queue answers again after 125 s"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("says at once when the cause changes, and counts from the first failure", () => {
    const { lines, layer } = logging()
    return Effect.gen(function* () {
      const outage = yield* Outage.make(undefined)
      yield* outage.failed(error("gone"))
      yield* TestClock.adjust("1 second")
      expect(yield* outage.failed(error("loading"))).toBe(1_000)
      // They take turns, and are not said anew for that.
      yield* outage.failed(error("gone"))
      expect(lines).toEqual(["ERROR gone; jobs wait, trying on", "ERROR loading; jobs wait, trying on"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("asks until it is answered, soon every half second, and gives up only on a store that never answered", () =>
    Effect.gen(function* () {
      const outage = yield* Outage.make(Duration.seconds(2))
      let asked = 0
      const question = (answers: boolean) =>
        Effect.suspend(() => (++asked > 3 && answers ? Effect.succeed(asked) : Effect.fail(error("gone"))))
      const answer = yield* Effect.fork(outage.persist(question(true)))
      // After 50, 100 and 200 milliseconds.
      yield* TestClock.adjust("349 millis")
      expect(asked).toBe(3)
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(answer)).toBe(4)
      // It has answered once: from now on it is asked for ever.
      const again = yield* Effect.fork(outage.persist(question(false)))
      yield* TestClock.adjust("1 minute")
      expect(again.unsafePoll()).toBeNull()
      // At 0, 50, 150, 350 and 750 milliseconds, and then every 500.
      expect(asked).toBe(4 + 5 + 118)
      const strange = yield* Outage.make(Duration.seconds(2))
      const refused = yield* Effect.fork(Effect.flip(strange.persist(question(false))))
      yield* TestClock.adjust("3 seconds")
      expect((yield* Fiber.join(refused)).detail).toBe("gone")
    })
  )
})
