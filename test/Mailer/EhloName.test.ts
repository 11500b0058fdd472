import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EhloName from "../../src/Mailer/EhloName.ts"

it.live("is a name with a dot, or an address literal", () =>
  Effect.gen(function* () {
    expect(yield* EhloName.find).toMatch(/^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|\[(?:IPv6:[0-9a-f:]+|[0-9.]+)\])$/i)
  })
)
