import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import * as Unchanged from "../../src/Job/Unchanged.ts"

type Nested = string | null | ReadonlyArray<Nested>
const Nested: Schema.Schema<Nested> = Schema.Union(
  Schema.String,
  Schema.Null,
  Schema.Array(Schema.suspend((): Schema.Schema<Nested> => Nested))
)

class Money {
  readonly cents = 1
}

const Arguments = Schema.Struct({
  config: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  counts: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Number })),
  nested: Nested,
  flag: Schema.optional(Schema.NullOr(Schema.Union(Schema.Boolean, Schema.Literal("on")))),
  bytes: Schema.optional(Schema.Uint8ArrayFromSelf)
})

const good = { config: { a: new Money() }, nested: ["a", [null, []]] }

const isUnchanged = Unchanged.make(Arguments)
const encode = ParseResult.encodeUnknownEither(Arguments)
const decode = ParseResult.decodeUnknownEither(Arguments)

const value = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom("a", "on", null, undefined, 1, true, [], ["a"], [["a", null]], [1], {}, { a: 1 })
  },
  fc.constantFrom({ a: "1" }, new Money(), new Uint8Array(1), Object.create(null), Object.create({ a: 1 })),
  fc.anything()
)

const fields = fc.record(
  { config: value, counts: value, nested: value, flag: value, bytes: value, other: value },
  { requiredKeys: [] }
)

describe("Unchanged", () => {
  it("passes what the parser would pass, as it is", () => {
    const all = { ...good, counts: { a: 1 }, flag: "on", bytes: new Uint8Array(2), other: 1 }
    expect(isUnchanged(good)).toBe(true)
    expect(isUnchanged(all)).toBe(true)
    expect(isUnchanged(Object.assign(Object.create(null), all, { flag: undefined }))).toBe(true)
  })

  it("passes nothing that the parser refuses or makes another thing of", () => {
    let passed = 0
    const check = (args: object) => {
      if (!isUnchanged(args)) return
      passed++
      const { other: _, ...known }: Record<string, unknown> = args
      // A class in the place of a dict would be told by its prototype, which the parser does not keep.
      const expected = Object.fromEntries(
        Object.entries(known).map(([key, field]) => [
          key,
          typeof field === "object" && field !== null && Object.getPrototypeOf(field) === null ? { ...field } : field
        ])
      )
      expect(Either.getOrThrow(encode(args))).toStrictEqual(expected)
      expect(Either.getOrThrow(decode(args))).toStrictEqual(expected)
    }
    fc.assert(fc.property(fields, check), { numRuns: 3_000 })
    const key = fc.constantFrom("config", "counts", "nested", "flag", "bytes", "other")
    fc.assert(
      fc.property(key, value, (name, field) => check({ ...good, [name]: field })),
      { numRuns: 5_000 }
    )
    expect(passed).toBeGreaterThan(100)
  })

  it("leaves what is changed, or may be, to the parser", () => {
    const passes = (schema: Schema.Schema.AnyNoContext, field: unknown) =>
      Unchanged.make(Schema.Struct({ field: schema }))({ field })
    expect(passes(Schema.String, "a")).toBe(true)
    expect(passes(Schema.NumberFromString, 1)).toBe(false)
    expect(passes(Schema.NonEmptyString, "a")).toBe(false)
    expect(passes(Schema.Struct({ a: Schema.String }), { a: "a", b: 1 })).toBe(false)
    expect(passes(Schema.Tuple(Schema.String), ["a"])).toBe(false)
    expect(passes(Schema.Record({ key: Schema.String, value: Schema.Unknown }), new Money())).toBe(false)
    expect(passes(Schema.String.annotations({ parseOptions: { exact: true } }), "a")).toBe(false)
    expect(passes(Schema.OptionFromSelf(Schema.NumberFromString), { _tag: "None" })).toBe(false)
    expect(Unchanged.make(Schema.Record({ key: Schema.String, value: Schema.String }))({ a: "a" })).toBe(false)
    expect(Unchanged.make(Schema.NumberFromString)(1)).toBe(false)
    const digits = Schema.Union(Schema.NumberFromString, Schema.String)
    expect(passes(digits, "1")).toBe(false)
    expect(passes(Schema.Union(Schema.Array(digits), Schema.Array(Schema.String)), ["1"])).toBe(false)
    const some = Schema.Struct({ a: Schema.String })
    expect(
      passes(Schema.Union(some, Schema.Record({ key: Schema.String, value: Schema.String })), { a: "", b: "" })
    ).toBe(false)
    expect(
      passes(Schema.Union(Schema.Record({ key: Schema.String, value: Schema.Number }), Schema.Unknown), new Money())
    ).toBe(false)
    const endless = (): Schema.Schema<Nested> =>
      Schema.NullOr(Schema.Union(Schema.String, Schema.Array(Schema.suspend(endless))))
    expect(passes(endless(), ["a"])).toBe(false)
    const fallback = Schema.String.annotations({ decodingFallback: () => Either.right("none") })
    expect(passes(Schema.Union(fallback, Schema.Number), 1)).toBe(false)
    const lax = Schema.declare([], {
      decode: () => (it, _, ast) =>
        typeof it === "string" ? ParseResult.succeed(it) : ParseResult.fail(new ParseResult.Type(ast, it)),
      encode: () => (it) => ParseResult.succeed(it)
    })
    expect([passes(lax, "a"), passes(lax, 1)]).toStrictEqual([true, false])
    const strict = Schema.Struct({ a: Schema.String }).annotations({ parseOptions: { onExcessProperty: "error" } })
    expect(Unchanged.make(strict)({ a: "a", b: 1 })).toBe(false)
    expect(Unchanged.make(Schema.Struct({ constructor: Schema.optional(Schema.Unknown) }))({})).toBe(true)
  })
})
