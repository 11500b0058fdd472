import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { BreakerStore, makeMemory } from "../../../src/Mailer/Breaker/BreakerStore.ts"
import * as Circuit from "../../../src/Mailer/Breaker/Circuit.ts"
import * as Circuits from "../../../src/Mailer/Breaker/Circuits.ts"
import * as Monotonic from "../../../src/Monotonic.ts"

const hanging = BreakerStore.of({ exchange: () => Effect.never })

describe("a store that hangs", () => {
  it.scoped.each([
    { what: "connection", needsProof: false, millis: 200 },
    { what: "login", needsProof: true, millis: 1_000 }
  ])("holds up a $what for $millis ms, and for a while nobody after it", ({ millis, needsProof }) =>
    Effect.gen(function* () {
      const circuits = yield* Circuits.make(hanging, Circuit.standard)
      const ask = circuits.ask({ name: "one", label: "one", needsProof }, 10_000)
      const first = yield* Effect.fork(ask)
      yield* TestClock.adjust(millis - 1)
      expect(yield* Fiber.poll(first)).toEqual(Option.none())
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(first)).toBe(undefined)
      yield* circuits.succeeded({ name: "one", label: "one", needsProof })
      expect(yield* ask).toBe(undefined)
    })
  )
})

describe("a store that is slow", () => {
  it.scoped("for a connection still keeps all from a login that was refused elsewhere", () =>
    Effect.gen(function* () {
      const memory = makeMemory()
      const login = { name: "login", label: "login", needsProof: true }
      const elsewhere = yield* Circuits.make(memory, Circuit.standard)
      yield* elsewhere.failed(login, "Configuration", "refused")
      const exchange: typeof memory.exchange = (...args) => Effect.delay(memory.exchange(...args), 500)
      const circuits = yield* Circuits.make(BreakerStore.of({ exchange }), Circuit.standard)
      const both = Effect.zipRight(
        circuits.ask({ name: "connect", label: "connect", needsProof: false }, 10_000),
        circuits.ask(login, 10_000)
      )
      const asking = yield* Effect.fork(both)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(asking)).toMatchObject({ why: "Open" })
    })
  )
})

describe("a store whose clock is an hour ahead", () => {
  it.scoped("counts no failure that had an answer before it, whoever met the one before", () =>
    Effect.gen(function* () {
      const memory = makeMemory()
      const exchange: typeof memory.exchange = (...args) =>
        Effect.map(memory.exchange(...args), (found) => ({ ...found, now: found.now + 3_600_000 }))
      const breaker = { name: "connect", label: "connect", needsProof: false }
      const worked = (circuits: Circuits.Circuits) =>
        Effect.flatMap(Monotonic.millis, (now) => circuits.worked(breaker, now))
      const all = yield* Effect.replicateEffect(Circuits.make(BreakerStore.of({ exchange }), Circuit.standard), 6)
      for (const circuits of all) yield* worked(circuits)
      for (const circuits of all) {
        yield* TestClock.adjust(1)
        yield* worked(circuits)
        expect(yield* circuits.failed(breaker, "Silence", "as scripted")).toBe(0)
      }
      for (const circuits of all) expect(yield* circuits.ask(breaker, 10_000)).toBe(undefined)
    })
  )
})
