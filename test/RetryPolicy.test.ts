import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RetryPolicy from "../src/RetryPolicy.ts"

const day = 86_400_000

describe("RetryPolicy", () => {
  it("lists the delays of the standard policy", () => {
    const numbers = Array.from({ length: 15 }, (_, index) => index + 1)
    expect(numbers.map((number) => RetryPolicy.delay(RetryPolicy.standard, number) / 1_000)).toEqual([
      1, 2, 5, 10, 20, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600
    ])
  })

  it("is kept by a worker that knows one delay as far as it can", () => {
    const even = (...seconds: readonly [number, ...ReadonlyArray<number>]) => {
      const [first, ...rest] = seconds
      const delays = [Duration.seconds(first), ...rest.map((delay) => Duration.seconds(delay))] as const
      const { retries, retryDelay } = RetryPolicy.even({ ...RetryPolicy.standard, delays })
      return [retries, Duration.toSeconds(retryDelay)]
    }
    expect(even(1, 2, 5, 10, 20, 30, 60)).toEqual([7, 18])
    expect(even(3_600)).toEqual([1, 3_600])
    // huey puts a job with no delay back at once, which spins.
    expect(even(0.1, 0.1)).toEqual([2, 1])
  })

  it("stays finite however often a job fails", () => {
    expect(RetryPolicy.delay(RetryPolicy.standard, 100_000)).toBe(3_600_000)
  })

  it.effect("spreads a delay by a tenth and no more", () =>
    Effect.gen(function* () {
      const failed = { wanted: 10_000, now: 0, endsAt: day }
      const delays = yield* Effect.replicateEffect(RetryPolicy.next(RetryPolicy.standard, failed), 200)
      const millis = delays.map(Option.getOrThrow)
      expect(Math.min(...millis)).toBeGreaterThanOrEqual(9_000)
      expect(Math.max(...millis)).toBeLessThanOrEqual(11_000)
      expect(new Set(millis).size).toBeGreaterThan(50)
    })
  )

  const next = (wanted: number, now: number, endsAt: number) =>
    RetryPolicy.next({ ...RetryPolicy.standard, jitter: 0 }, { wanted, now, endsAt })

  it.effect("never waits past the job's end, and gives up where too little is left", () =>
    Effect.gen(function* () {
      expect(yield* next(60_000, 0, 120_000)).toEqual(Option.some(60_000))
      expect(yield* next(60_000, 100_000, 120_000)).toEqual(Option.some(10_000))
      expect(yield* next(1_000, 119_000, 120_000)).toEqual(Option.none())
      expect(yield* next(1_000, 121_000, 120_000)).toEqual(Option.none())
    })
  )
})
