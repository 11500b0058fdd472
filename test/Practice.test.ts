/**
 * What is done beforehand: once, beside all else, and unseen.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import * as EventLoop from "../src/EventLoop.ts"
import * as Producer from "../src/JobQueue/Producer.ts"
import * as Practice from "../src/Practice.ts"
import * as Performer from "../src/Worker/Performer.ts"

const times = 10_000

const counting = () => {
  const count = { acts: 0 }
  const act = Effect.sync(() => {
    count.acts += 1
  })
  return { count, practise: Practice.make(Effect.succeed(act)) }
}

const never = () => false

describe("Practice", () => {
  it.effect("is over after so many times, however many begin it", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      yield* Effect.all([practise(never), practise(never)], { concurrency: "unbounded" })
      yield* practise(never)
      expect(count.acts).toBe(times)
    })
  )

  it.effect("is gone on with by the next who begins, where it was interrupted", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      const first = yield* Effect.fork(practise(never))
      yield* EventLoop.turns(10, never)
      yield* Fiber.interrupt(first)
      const { acts } = count
      expect(acts).toBeGreaterThan(0)
      expect(acts).toBeLessThan(times)
      yield* practise(never)
      expect(count.acts).toBe(times)
    })
  )

  it.effect("lets the event loop come round in between", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      const seen: Array<number> = []
      const fiber = yield* Effect.fork(practise(never))
      while (count.acts < times) {
        yield* EventLoop.nextTurn
        seen.push(count.acts)
      }
      yield* Fiber.join(fiber)
      expect(new Set(seen).size).toBeGreaterThan(50)
    })
  )

  it.effect("waits while there is work to do", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      let isBusy = true
      const fiber = yield* Effect.fork(practise(() => isBusy))
      yield* TestClock.adjust("10 seconds")
      expect(count.acts).toBe(0)
      isBusy = false
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(fiber)
      expect(count.acts).toBe(times)
    })
  )

  it.effect("draws none of the program's random numbers", () =>
    Effect.gen(function* () {
      const practise = Practice.make(Effect.as(Random.next, Random.next))
      const drawn = Effect.withRandom(Effect.zipRight(practise(never), Random.next), Random.make("program"))
      expect(yield* drawn).toBe(yield* Effect.withRandom(Random.next, Random.make("program")))
    })
  )

  it.effect("has a message that can be written and read", () =>
    Effect.gen(function* () {
      yield* Producer.practise(never)
      yield* Performer.practise(never)
    })
  )
})
