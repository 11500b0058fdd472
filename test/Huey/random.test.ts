import { readdirSync, readFileSync } from "node:fs"
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

describe("any damage", () => {
  const directory = new URL("../fixtures/huey-messages/", import.meta.url)
  const samples = readdirSync(directory)
    .filter((file) => file.endsWith(".msg") && !file.startsWith("large"))
    .map((file) => readFileSync(new URL(file, directory)))

  type Damage = (bytes: Buffer) => Buffer
  const flip: fc.Arbitrary<Damage> = fc
    .record({ at: fc.nat(), bit: fc.nat(7) })
    .map(({ at, bit }) => (bytes: Buffer) => {
      const changed = Buffer.from(bytes)
      const index = at % changed.length
      changed[index] = (changed[index] ?? 0) ^ (1 << bit)
      return changed
    })
  const cut: fc.Arbitrary<Damage> = fc.nat().map((at) => (bytes: Buffer) => bytes.subarray(0, at % bytes.length))
  const insert: fc.Arbitrary<Damage> = fc
    .record({ at: fc.nat(), extra: fc.uint8Array({ minLength: 1, maxLength: 20 }) })
    .map(({ at, extra }) => (bytes: Buffer) => {
      const index = at % bytes.length
      return Buffer.concat([bytes.subarray(0, index), extra, bytes.subarray(index)])
    })
  const repeat: fc.Arbitrary<Damage> = fc
    .record({ from: fc.nat(), length: fc.integer({ min: 1, max: 64 }), times: fc.integer({ min: 2, max: 2000 }) })
    .map(({ from, length, times }) => (bytes: Buffer) => {
      const start = from % bytes.length
      const part = bytes.subarray(start, start + length)
      return Buffer.concat([bytes.subarray(0, start), ...new Array<Buffer>(times).fill(part), bytes.subarray(start)])
    })
  const damage = fc.array(fc.oneof({ weight: 4, arbitrary: flip }, cut, insert, repeat), { minLength: 1, maxLength: 3 })

  it("ends with a message or a HueyError of one line, and soon", () => {
    let slowest = 0
    const start = performance.now()
    fc.assert(
      fc.property(fc.constantFrom(...samples), damage, (sample, changes) => {
        const bytes = changes.reduce<Buffer>(
          (damaged, change) => (damaged.length === 0 ? damaged : change(damaged)),
          sample
        )
        const begin = performance.now()
        const result = codec.decode(bytes)
        slowest = Math.max(slowest, performance.now() - begin)
        if (Either.isLeft(result)) {
          expect(result.left).toBeInstanceOf(Huey.HueyError)
          expect(result.left.detail).toMatch(/^[\x20-\x7e]{1,200}$/)
          // The code and the recipients of the samples.
          expect(result.left.message).not.toMatch(/492817|301 774|@/)
        } else {
          Either.getOrThrow(codec.encode(result.right))
        }
      }),
      { numRuns: 2000 }
    )
    expect(performance.now() - start).toBeLessThan(15_000)
    // Half a second is a machine that does something else: on its own none takes 50 ms.
    expect(slowest).toBeLessThan(500)
  })
})
