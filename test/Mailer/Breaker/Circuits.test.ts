import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { BreakerStore } from "../../../src/Mailer/Breaker/BreakerStore.ts"
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
