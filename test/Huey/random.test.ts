import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as fc from "fast-check"
import * as Huey from "../../src/Huey.ts"

const codec = Huey.make()

const key = fc.string({ maxLength: 20 }).filter((text) => !["__proto__", "constructor", "prototype"].includes(text))
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constantFrom(null, true, false),
    fc.string({ unit: "binary" }),
    fc.string({ maxLength: 1000 }),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }).filter((big) => big > 2n ** 53n || big < -(2n ** 53n)),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("value"), { maxLength: 8 }),
    fc.dictionary(key, tie("value"), { maxKeys: 8, noNullPrototype: false })
  )
}))
const call = fc.record({
  args: fc.array(value, { maxLength: 8 }),
  kwargs: fc.dictionary(key, value, { maxKeys: 5 })
})

describe("any call", () => {
  it("is read as it was written", () => {
    const codecs = [
      codec,
      Huey.make({ compression: true }),
      Huey.make({ compression: true, useZlib: true, signing: { secret: Redacted.make("secret") } })
    ]
    fc.assert(
      fc.property(call, fc.constantFrom(...codecs), (call, codec) => {
        const bytes = Either.getOrThrow(codec.encode(Huey.message({ id: "1", name: "job", call })))
        const read = Either.getOrThrow(codec.decode(bytes)).call
        expect([...read.args]).toEqual(call.args)
        expect(read.kwargs).toEqual(call.kwargs)
      }),
      { numRuns: 500 }
    )
  })
})
