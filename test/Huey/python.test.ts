import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Compression from "../../src/Huey/Compression.ts"
import { NaiveDateTime } from "../../src/Huey/NaiveDateTime.ts"
import { Instance, TimeDelta, Tuple } from "../../src/Huey/PickleValue.ts"
import * as Signature from "../../src/Huey/Signature.ts"
import * as Huey from "../../src/Huey.ts"
import * as HueySamples from "../services/HueySamples.ts"
import * as Python from "../services/Python.ts"

const python = (command: "load" | "same" | "dump", input: unknown): unknown =>
  Python.run("huey_messages.py", [command], input)

const codec = Huey.make()
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")
const encode = (message: Huey.Message) => Either.getOrThrow(codec.encode(message))

describe("Python reads", () => {
  it("a new message, field by field", () => {
    const message = Huey.message({
      id: "0199f2f0-0000-7000-8000-000000000000",
      name: "edumfa.lib.smtpserver.smtpserver.send_email",
      call: {
        args: [
          { port: 587, tls: true, password: null },
          ["a@example.org", new Tuple()],
          "zoë \u{1f511} \ud800\udfff \ud800 x \udfff\ud800 \ufffd",
          new Uint8Array([0, 255]),
          Tuple.make([1, Tuple.make([2, 3]), Tuple.make([4, 5, 6, 7])])
        ],
        kwargs: {
          integers: [0, 255, 256, 65_535, 65_536, -1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1],
          longs: [2 ** 53 - 1, 1 - 2 ** 53, 2n ** 53n, -(2n ** 127n), 2n ** 127n - 1n, 128n, -129n],
          floats: [0.5, -0, 1e300, Number.POSITIVE_INFINITY],
          times: [
            new NaiveDateTime({ year: 1, month: 1, day: 1, hour: 0, minute: 0, second: 0, microsecond: 1, fold: 1 }),
            new TimeDelta(-1, 86_399, 999_999)
          ]
        }
      },
      eta: Date.UTC(2026, 11, 1, 8, 30, 15, 250),
      expiresAt: Date.UTC(2026, 11, 1, 8, 32),
      retries: 3,
      retryDelay: 1.5
    })
    const int = (value: number | string) => ({ int: String(value) })
    expect(python("load", [base64(encode(message))])).toEqual([
      {
        Message: [
          "0199f2f0-0000-7000-8000-000000000000",
          "edumfa.lib.smtpserver.smtpserver.send_email",
          { datetime: "2026-12-01T08:30:15.250000", fold: 0 },
          int(3),
          { float: "1.5" },
          null,
          {
            tuple: [
              {
                dict: [
                  ["port", int(587)],
                  ["tls", true],
                  ["password", null]
                ]
              },
              ["a@example.org", { tuple: [] }],
              "zoë \u{1f511} \ud800\udfff \ud800 x \udfff\ud800 \ufffd",
              { bytes: "00ff" },
              { tuple: [int(1), { tuple: [int(2), int(3)] }, { tuple: [int(4), int(5), int(6), int(7)] }] }
            ]
          },
          {
            dict: [
              [
                "integers",
                [
                  ...[int(0), int(255), int(256), int(65_535), int(65_536), int(-1)],
                  ...[int("2147483647"), int("2147483648"), int("-2147483648"), int("-2147483649")]
                ]
              ],
              [
                "longs",
                [
                  ...[int("9007199254740991"), int("-9007199254740991"), int("9007199254740992")],
                  int("-170141183460469231731687303715884105728"),
                  int("170141183460469231731687303715884105727"),
                  ...[int(128), int(-129)]
                ]
              ],
              ["floats", [{ float: "0.5" }, { float: "-0.0" }, { float: "1e+300" }, { float: "inf" }]],
              ["times", [{ datetime: "0001-01-01T00:00:00.000001", fold: 1 }, { timedelta: [-1, 86_399, 999_999] }]]
            ]
          },
          null,
          null,
          null,
          { datetime: "2026-12-01T08:32:00", fold: 0 },
          null,
          null,
          null
        ]
      }
    ])
  })

  it("long lists, dicts and texts", () => {
    const numbers = Array.from({ length: 3000 }, (_, index) => index)
    const dict = Object.fromEntries(numbers.slice(0, 1500).map((number) => [`k${number}`, null]))
    const call = { args: [numbers, dict, "é".repeat(70_000)], kwargs: {} }
    expect(python("load", [base64(encode(Huey.message({ id: "1", name: "job", call })))])).toMatchObject([
      {
        Message: {
          6: {
            tuple: [
              numbers.map((number) => ({ int: String(number) })),
              { dict: Object.keys(dict).map((key) => [key, null]) },
              "é".repeat(70_000)
            ]
          }
        }
      }
    ])
  })

  it("every sample, written again, as the same message", () => {
    const signing = { secret: Redacted.make("correct horse") }
    expect(HueySamples.all.length).toBe(78 + 57)
    // Packed and signed samples are taken apart by the Huey codec; Python compares the pickles inside.
    const pairs = HueySamples.all.map(({ bytes, file }) => {
      const utc = !file.startsWith("local-time")
      const signed = file.startsWith("signed")
      const reader = Huey.make(signed ? { signing } : { utc })
      const message = Either.getOrThrow(reader.decode(bytes))
      const again = Either.getOrThrow(Huey.make({ utc }).encode(message))
      if (signed) return [base64(Signature.verify(bytes, Signature.key(signing))), base64(again)]
      return [base64(Compression.decompress(bytes)), base64(again)]
    })
    const same = python("same", pairs)
    expect(HueySamples.all.filter((_, index) => !Array.isArray(same) || same[index] !== true)).toEqual([])
  })
})

describe("Python writes", () => {
  const Dumped = Schema.decodeUnknownSync(Schema.Array(Schema.String))
  const pickles = Dumped(python("dump", null))

  for (const [protocol, text] of pickles.entries()) {
    it(`protocol ${protocol}`, () => {
      const message = Either.getOrThrow(codec.decode(Buffer.from(text, "base64")))
      const { fields } = message
      expect(message.eta).toBe(Date.UTC(2026, 11, 1, 8, 30, 15, 250))
      expect([message.id, message.name, message.retries, message.retryDelay]).toEqual(["6f1c", "some.job", 3, 1.5])
      expect(message.expiresAt).toBe(-62_135_596_800_000)
      const shared = ["shared"]
      expect([...message.call.args]).toEqual([
        [
          ...[0, 255, 256, 65_535, 65_536, -1, 2 ** 31 - 1, -(2 ** 31), 2 ** 53 - 1],
          ...[2n ** 53n, -(2n ** 100n), 2n ** 127n - 1n]
        ],
        [0.5, -0, 1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
        ["", "ascii", "züge € \u{1f511}", "a\\b\nc\rd\0e\x1a", "\ud800", "\ufffd", "x".repeat(300)],
        [new Uint8Array(0), Uint8Array.of(0, 255, 128), new Uint8Array(300).fill(0x79)],
        [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]],
        { yes: true, no: false, none: null, dict: {}, list: [] },
        [shared, shared]
      ])
      expect(message.call.kwargs).toEqual({ keyword: "argument" })
      expect(fields[8]).toBeInstanceOf(Instance)
      expect(fields[10]).toEqual(new TimeDelta(-1, 86_280, 0))
      expect(fields[13]).toBeInstanceOf(Tuple)
      const [sharedLists] = message.call.args.slice(6)
      expect(Array.isArray(sharedLists) && sharedLists[0] === sharedLists[1]).toBe(true)
    })
  }

  it("None for retries, and gets it back: huey puts its task's default there", () => {
    const eight = Buffer.from("\x80\x04chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNNNN)}t\x81.", "latin1")
    const message = Either.getOrThrow(codec.decode(eight))
    expect([message.retries, message.retryDelay, message.expiresAt]).toEqual([0, 0, undefined])
    expect(python("same", [[base64(eight), base64(encode(message))]])).toEqual([true])
    const retrying = encode({ ...message, retries: 2 })
    expect(Either.getOrThrow(codec.decode(retrying)).fields[3]).toBe(2)
  })

  it("a memo entry twice, which counts once for the next MEMOIZE", () => {
    const bytes = Buffer.from(
      "\x80\x04Nq\x00q\x000chuey.registry\nMessage\n(\x8c\x01i\x8c\x03jobNNNN\x8c\x01b\x94h\x01\x86}t\x81.",
      "latin1"
    )
    expect([...Either.getOrThrow(codec.decode(bytes)).call.args]).toEqual(["b", "b"])
    expect(python("load", [base64(bytes)])).toMatchObject([{ Message: { 6: { tuple: ["b", "b"] } } }])
  })

  it("and gets the same message back", () => {
    const pairs = pickles.map((text) => [
      text,
      base64(encode(Either.getOrThrow(codec.decode(Buffer.from(text, "base64")))))
    ])
    expect(python("same", pairs)).toEqual([true, true, true, true, true, true])
  })
})
