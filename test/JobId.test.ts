import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as JobId from "../src/JobId.ts"

describe("JobId", () => {
  it.effect("is a UUID of version 7 that tells when the job was enqueued", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_795_436_402_123)
      const id = yield* JobId.make
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(JobId.enqueuedAt(id)).toEqual(Option.some(1_795_436_402_123))
    })
  )

  it.effect("differs each time, and sorts by time", () =>
    Effect.gen(function* () {
      const early = yield* Effect.replicateEffect(JobId.make, 1_000)
      yield* TestClock.adjust("1 second")
      const late = yield* JobId.make
      expect(new Set(early).size).toBe(1_000)
      expect(early.every((id) => id < late)).toBe(true)
    })
  )

  it("knows nothing of the ids that Python makes", () => {
    expect(JobId.enqueuedAt("51a50f6a-1e77-4fee-8d3f-ba5cc509b11d")).toEqual(Option.none())
    expect(JobId.enqueuedAt("")).toEqual(Option.none())
  })
})
