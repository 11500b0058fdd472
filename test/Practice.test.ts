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
import { logging } from "./services/TestWorker.ts"

const times = 10_000

const counting = () => {
  const count = { acts: 0 }
  const act = Effect.sync(() => {
    count.acts += 1
  })
  return { act, count, practise: Practice.make(Effect.succeed(act)) }
}

const never = () => false

/** Practises by a clock of the test, past the delay. */
const begin = (practise: ReturnType<typeof Practice.make>, isBusy: () => boolean = never) =>
  Effect.zipLeft(Effect.fork(practise(isBusy)), TestClock.adjust("1 second"))

const through = (practise: ReturnType<typeof Practice.make>) => Effect.flatMap(begin(practise), Fiber.join)

describe("Practice", () => {
  it.effect("is over after so many times, however many begin it", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      const fibers = yield* Effect.replicateEffect(Effect.fork(practise(never)), 3)
      yield* TestClock.adjust("1 second")
      yield* Fiber.joinAll(fibers)
      yield* through(practise)
      expect(count.acts).toBe(times)
    })
  )

  it.effect("does not begin in a program's first second, nor where that ends before", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      const fiber = yield* Effect.fork(practise(never))
      yield* TestClock.adjust("999 millis")
      yield* EventLoop.turns(10, never)
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("10 seconds")
      expect(count.acts).toBe(0)
    })
  )

  it.effect("lets the event loop come round each half millisecond, and is gone on with where it was interrupted", () =>
    Effect.gen(function* () {
      const { act, count } = counting()
      const slow = Effect.sync(() => {
        for (const until = performance.now() + 0.04; performance.now() < until; );
      })
      const practise = Practice.make(Effect.succeed(Effect.zipRight(slow, act)))
      const first = yield* begin(practise)
      yield* EventLoop.turns(100, () => count.acts > 0)
      yield* Fiber.interrupt(first)
      const { acts } = count
      expect(acts).toBeGreaterThan(0)
      expect(acts).toBeLessThan(times)
      const second = yield* begin(practise)
      const seen = new Set<number>()
      while (count.acts < times) {
        yield* EventLoop.nextTurn
        seen.add(count.acts)
      }
      yield* Fiber.join(second)
      expect(count.acts).toBe(times)
      expect(seen.size).toBeGreaterThan(100)
    })
  )

  it.effect("waits while there is work to do, longer and longer", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      let looks = 0
      let isBusy = true
      const fiber = yield* begin(practise, () => {
        looks += 1
        return isBusy
      })
      yield* EventLoop.turns(10, never)
      expect(looks).toBe(1)
      for (const pause of [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]) {
        const before = looks
        yield* TestClock.adjust(pause - 1)
        expect(looks).toBe(before)
        yield* TestClock.adjust(1)
        expect(looks).toBe(before + 1)
      }
      expect(count.acts).toBe(0)
      isBusy = false
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      expect(count.acts).toBe(times)
    })
  )

  it.effect("does nothing between a look that found work and the next", () =>
    Effect.gen(function* () {
      const { count, practise } = counting()
      const looks: Array<{ readonly isBusy: boolean; readonly acts: number }> = []
      const fiber = yield* begin(practise, () => {
        const isBusy = looks.length % 2 === 0
        looks.push({ isBusy, acts: count.acts })
        return isBusy
      })
      while (count.acts < times) yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      expect(looks.length).toBeGreaterThan(1)
      for (const [index, { acts, isBusy }] of looks.entries()) {
        if (isBusy) expect(looks[index + 1]?.acts).toBe(acts)
      }
    })
  )

  it.effect("draws none of the program's random numbers", () =>
    Effect.gen(function* () {
      const practise = Practice.make(Effect.as(Random.next, Random.next))
      const drawn = Effect.withRandom(Effect.zipRight(through(practise), Random.next), Random.make("program"))
      expect(yield* drawn).toBe(yield* Effect.withRandom(Random.next, Random.make("program")))
    })
  )

  it.effect("says once that it failed, and no more", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      const practise = Practice.make(Effect.succeed(Effect.die(new TypeError("secret"))))
      yield* through(practise)
      yield* through(practise)
      expect(lines).toEqual([expect.stringMatching(/^WARN practice failed: TypeError at /)])
      expect(lines.join()).not.toContain("secret")
    }).pipe(Effect.provide(layer))
  })

  it.effect("has a message that can be written and read", () => {
    const { layer, lines } = logging()
    return Effect.gen(function* () {
      yield* through(Producer.practise)
      yield* through(Performer.practise)
      expect(lines).toEqual([])
    }).pipe(Effect.provide(layer))
  })
})
