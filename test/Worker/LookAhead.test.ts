/**
 * What a look at the schedule takes for overdue, and what it says of it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Huey from "../../src/Huey.ts"
import { JobStoreError } from "../../src/JobStore.ts"
import * as Memory from "../../src/Memory.ts"
import * as LookAhead from "../../src/Worker/LookAhead.ts"
import { logging } from "../services/TestWorker.ts"

const codec = Huey.make()
const now = Date.UTC(2027, 0, 15)
const storeTime = { now: Effect.succeed(now), unsafeNow: () => now, sync: () => {} }

const withEta = (eta?: number) =>
  codec.encode(
    Huey.message({ id: "a", name: "x", call: { args: [], kwargs: {} }, ...(eta === undefined ? {} : { eta }) })
  )

describe("a look ahead", () => {
  it.effect("moves what has been due for a while, not what is due this moment and only not taken yet", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { store } = yield* Memory.make()
      const waiting = yield* Effect.all(
        [now - 86_400_000, now - 1_000, now - 900, now, now + 1_000, undefined].map(withEta)
      )
      const found: Array<boolean> = []
      const advance = (isDue: (bytes: Uint8Array) => boolean) =>
        Effect.sync(() => {
          found.push(...[...waiting, Buffer.from("no message")].map(isDue))
          return found.filter(Boolean).length
        })
      yield* LookAhead.make({ ...store, advance }, storeTime, codec)
      expect(found).toEqual([true, true, false, false, false, false, false])
      expect(lines).toEqual([
        "WARN 2 scheduled jobs were overdue and go on now: set EDUMFA_QUEUE_WORKER_TIME_ZONE to the time zone of Python's workers"
      ])
    }).pipe(Effect.provide(layer))
  })

  it.effect("is silent where there is nothing, and where the store does not answer", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const { store } = yield* Memory.make()
      const down = new JobStoreError({ reason: "Unavailable", detail: "down" })
      yield* LookAhead.make(store, storeTime, codec)
      yield* LookAhead.make({ ...store, advance: () => Effect.fail(down) }, storeTime, codec)
      expect(lines).toEqual([])
    }).pipe(Effect.provide(layer))
  })
})
