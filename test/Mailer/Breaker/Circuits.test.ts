import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { BreakerStore, makeMemory } from "../../../src/Mailer/Breaker/BreakerStore.ts"
import * as Circuit from "../../../src/Mailer/Breaker/Circuit.ts"
import * as Circuits from "../../../src/Mailer/Breaker/Circuits.ts"

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
  it.scoped("says that a password is refused, though it is too slow for a connection", () =>
    Effect.gen(function* () {
      const states = makeMemory()
      const slow = BreakerStore.of({
        exchange: (name, swap) => Effect.delay(states.exchange(name, swap), "500 millis")
      })
      const server = { name: "connect", label: "server", needsProof: false }
      const login = { name: "login", label: "login", needsProof: true }
      const other = yield* Circuits.make(states, Circuit.standard)
      expect(yield* other.ask(login, 10_000)).toBe(undefined)
      yield* other.failed(login, "Configuration", "535")
      const circuits = yield* Circuits.make(slow, Circuit.standard)
      // As each mail does.
      const asked = yield* Effect.fork(Effect.zipRight(circuits.ask(server, 10_000), circuits.ask(login, 10_000)))
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(asked)).toMatchObject({ why: "Open" })
    })
  )
})
