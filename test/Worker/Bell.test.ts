import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
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
