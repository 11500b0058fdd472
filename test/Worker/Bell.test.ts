import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import { Bell } from "../../src/Worker/Bell.ts"

it.effect("a bell keeps one ring for the next who asks, and only one", () =>
  Effect.gen(function* () {
    const bell = new Bell()
    bell.ring()
    bell.ring()
    yield* bell.wait
    expect(bell.poll()).toBe(false)
    bell.ring()
    expect(bell.poll()).toBe(true)
    expect(bell.poll()).toBe(false)
  })
)

it.effect("a bell wakes all who wait, and keeps nothing then", () =>
  Effect.gen(function* () {
    const bell = new Bell()
    const waiting = [yield* Effect.fork(bell.wait), yield* Effect.fork(bell.wait)]
    yield* Effect.yieldNow()
    expect(waiting.every((fiber) => fiber.unsafePoll() === null)).toBe(true)
    bell.ring()
    yield* Fiber.joinAll(waiting)
    expect(bell.poll()).toBe(false)
  })
)

it.effect("a bell does not ring for who has gone", () =>
  Effect.gen(function* () {
    const bell = new Bell()
    const gone = yield* Effect.fork(bell.wait)
    yield* Effect.yieldNow()
    expect(Exit.isInterrupted(yield* Fiber.interrupt(gone))).toBe(true)
    bell.ring()
    expect(bell.poll()).toBe(true)
  })
)

it.effect("a bell is heard that rings between any two steps of who waits", () =>
  Effect.gen(function* () {
    let wasHeld = false
    for (let at = 1; at <= 20; at++) {
      const bell = new Bell()
      let steps = 0
      const scheduler: Scheduler.Scheduler = {
        scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority),
        shouldYield: () => {
          if (++steps === at) bell.ring()
          return false
        }
      }
      const waiting = yield* Effect.fork(Effect.withScheduler(bell.wait, scheduler))
      yield* Effect.yieldNow()
      if (steps < at) {
        wasHeld = waiting.unsafePoll() === null
        bell.ring()
      }
      yield* Effect.yieldNow()
      expect(waiting.unsafePoll()).toStrictEqual(Exit.void)
    }
    expect(wasHeld).toBe(true)
  })
)
