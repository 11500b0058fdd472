import { readFileSync } from "node:fs"
import { afterEach, beforeEach, describe, expect, it, vi } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as MimeTree from "../src/Huey/MimeTree.ts"
import { NaiveDateTime } from "../src/Huey/NaiveDateTime.ts"
import * as TimeZone from "../src/Huey/TimeZone.ts"
import * as Huey from "../src/Huey.ts"
import * as MimeParts from "./services/MimeParts.ts"

const directory = new URL("./fixtures/huey-messages/", import.meta.url)
const sample = (file: string): Uint8Array => readFileSync(new URL(file, directory))

const Sample = Schema.Struct({
  file: Schema.String,
  name: Schema.String,
  id: Schema.String,
  eta: Schema.NullOr(Schema.String),
  retries: Schema.Number,
  retry_delay: Schema.Number,
  priority: Schema.Null,
  args: Schema.Array(Schema.Unknown),
  kwargs: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  expires_resolved: Schema.NullOr(Schema.String),
  timeout: Schema.Null,
  mime_parts: Schema.optional(Schema.Array(Schema.Unknown))
})
const manifest = (version: string) =>
  Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Sample)))(
    readFileSync(new URL(`manifest.${version}.json`, directory), "utf8")
  )
const shapes = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Array(Schema.Struct({ file: Schema.String, args: Schema.Array(Schema.Unknown) })))
)(readFileSync(new URL("shapes.3.2.1.json", directory), "utf8"))

const signing = { secret: Redacted.make("correct horse"), salt: "huey" }
const codecFor = (file: string) =>
  Huey.make({ utc: !file.startsWith("local-time"), ...(file.startsWith("signed") ? { signing } : {}) })

const decode = (codec: Huey.Codec, bytes: Uint8Array): Huey.Message => Either.getOrThrow(codec.decode(bytes))
const encode = (codec: Huey.Codec, message: Huey.Message): Uint8Array => Either.getOrThrow(codec.encode(message))
const refusal = (result: Either.Either<unknown, Huey.HueyError>) =>
  Either.match(result, { onLeft: ({ reason, detail }) => ({ reason, detail }), onRight: () => "accepted" })

/** Dicts have no prototype here and manifests have one: both are compared as JSON. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const useZone = (zone: string) => {
  beforeEach(() => {
    vi.stubEnv("TZ", zone)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
  })
}

describe("messages that huey wrote", () => {
  useZone("America/New_York")

  const time = (iso: string | null, file: string) =>
    iso === null ? undefined : Date.parse(file.startsWith("local-time") ? `${iso}-05:00` : `${iso}Z`)

  /** A MIME tree as the manifests have it: its type, and its parts. */
  const mimeOf = (tree: MimeTree.MimeTree) => {
    const [header = "", ...content] = Buffer.from(Either.getOrThrow(MimeTree.toBytes(tree)))
      .toString()
      .split("\r\n\r\n")
    const [, mime] = /^Content-Type: ([^;]+);/.exec(header) ?? []
    return { mime, parts: MimeParts.split(header, content.join("\r\n\r\n")) }
  }
  const described = (argument: unknown) => (MimeTree.isMimeTree(argument) ? { mime: mimeOf(argument).mime } : argument)
  const partsOf = ([, , , body]: ReadonlyArray<unknown>) => (MimeTree.isMimeTree(body) ? mimeOf(body).parts : undefined)

  for (const version of ["3.2.1", "3.3.0"]) {
    it(`${version}: 19 samples`, () => {
      expect(manifest(version).length).toBe(19)
    })
    for (const held of manifest(version)) {
      it(held.file, () => {
        const message = decode(codecFor(held.file), sample(held.file))
        expect({
          id: message.id,
          name: message.name,
          eta: message.eta,
          retries: message.retries,
          retry_delay: message.retryDelay,
          args: json(message.call.args.map(described)),
          kwargs: json(message.call.kwargs),
          expires: message.expiresAt,
          fields: message.fields.length,
          priority: message.fields[5],
          timeout: message.fields[12],
          parts: partsOf(message.call.args)
        }).toEqual({
          id: held.id,
          name: held.name,
          eta: time(held.eta, held.file),
          retries: held.retries,
          retry_delay: held.retry_delay,
          args: held.args,
          kwargs: held.kwargs,
          expires: time(held.expires_resolved, held.file),
          fields: version === "3.2.1" ? 14 : 15,
          priority: null,
          timeout: null,
          parts: held.mime_parts
        })
      })
    }
  }

  it("40 argument shapes of real sites", () => {
    expect(shapes.length).toBe(40)
    for (const { file, args } of shapes) {
      const read = [...decode(Huey.make(), sample(file)).call.args]
      if (file.startsWith("shape-body-bytes")) {
        expect(read[3]).toEqual(new Uint8Array(Buffer.from("grüße", "utf8")))
        read[3] = args[3]
      }
      expect(json(read), file).toEqual(args)
    }
  })
})

describe("times", () => {
  const december = { id: "1", name: "job", call: { args: [], kwargs: {} }, eta: Date.UTC(2026, 11, 1, 8, 30, 15, 250) }

  describe("local", () => {
    useZone("Europe/Berlin")
    it("a local time is written and read in the zone of the process", () => {
      const codec = Huey.make({ utc: false })
      const message = decode(codec, encode(codec, Huey.message(december)))
      expect(message.eta).toBe(december.eta)
      expect(message.fields[2]).toEqual(
        new NaiveDateTime({ year: 2026, month: 12, day: 1, hour: 9, minute: 30, second: 15, microsecond: 250_000 })
      )
    })
  })

  it("a local time is written and read in the zone that is named", () => {
    const codec = Huey.make({ utc: false, timeZone: DateTime.zoneUnsafeMakeNamed("America/New_York") })
    const message = decode(codec, encode(codec, Huey.message(december)))
    expect(message.eta).toBe(december.eta)
    expect(message.fields[2]).toEqual(
      new NaiveDateTime({ year: 2026, month: 12, day: 1, hour: 3, minute: 30, second: 15, microsecond: 250_000 })
    )
  })

  it("only the resolved expiry is written, so that huey does not resolve it again at a retry", () => {
    const message = Huey.message({ ...december, expiresAt: Date.UTC(2026, 11, 1, 8, 32) })
    const { fields } = decode(Huey.make(), encode(Huey.make(), message))
    expect(fields.slice(10)).toEqual([
      null,
      new NaiveDateTime({ year: 2026, month: 12, day: 1, hour: 8, minute: 32, second: 0, microsecond: 0 }),
      null,
      null
    ])
  })

  it.each([Number.POSITIVE_INFINITY, Number.NaN, 253_402_300_800_000, -62_135_596_800_001])("refuses %d", (eta) => {
    expect(refusal(Huey.make().encode(Huey.message({ ...december, eta })))).toEqual({
      reason: "Limit",
      detail: "a time outside the years 1 to 9999"
    })
  })
})

describe("withCall", () => {
  it("changes the arguments and nothing else", () => {
    const codec = Huey.make()
    const message = decode(codec, sample("scheduled.3.3.0.msg"))
    const changed = decode(codec, encode(codec, Huey.withCall(message, { args: ["other"], kwargs: { key: [1] } })))
    expect(json(changed.call)).toEqual({ args: ["other"], kwargs: { key: [1] } })
    const rest = (fields: ReadonlyArray<unknown>) => [...fields.slice(0, 6), ...fields.slice(8)]
    expect(rest(changed.fields)).toEqual(rest(message.fields))
    expect(changed.eta).toBe(Date.UTC(2026, 11, 1, 8, 30, 15, 250))
    expect([changed.retries, changed.retryDelay]).toEqual([3, 60])
  })
})

describe("what a message may hold", () => {
  const codec = Huey.make()
  const call = { args: [], kwargs: {} }
  const withArg = (arg: unknown) => Huey.message({ id: "1", name: "job", call: { args: [arg], kwargs: {} } })

  it("a body of 10 MiB passes", () => {
    const body = "ü".repeat(5 * 1024 * 1024)
    expect(decode(codec, encode(codec, withArg(body))).call.args[0] === body).toBe(true)
  })

  it.each([
    ["a function", () => 1, "Forbidden", "a function cannot be an argument"],
    ["a symbol", Symbol("s"), "Forbidden", "a symbol cannot be an argument"],
    ["a secret", Redacted.make("s"), "Forbidden", "an object of a class cannot be an argument"],
    ["a date", new Date(0), "Forbidden", "an object of a class cannot be an argument"],
    ["a key of JavaScript's own", JSON.parse('{"__proto__": 1}'), "Forbidden", "a dict has the key __proto__"],
    ["a long key", { ["k".repeat(1025)]: 1 }, "Limit", "a key of a dict is too long"],
    ["a long integer", 2n ** 127n, "Limit", "an integer of more than 16 bytes"],
    ["many values", new Array(10_001).fill(1), "Limit", "more than 10000 values"],
    ["a long text", "x".repeat(16 * 1024 * 1024), "TooLarge", "a message of more than 16777216 bytes"]
  ])("refuses %s", (_, arg, reason, detail) => {
    expect(refusal(codec.encode(withArg(arg)))).toEqual({ reason, detail })
  })

  it("refuses what contains itself", () => {
    const cycle: Array<unknown> = []
    cycle.push(cycle)
    expect(refusal(codec.encode(withArg(cycle)))).toEqual({ reason: "Limit", detail: "nested more than 32 deep" })
  })

  it("a new message has the 14 fields that every huey takes", () => {
    const message = decode(codec, encode(codec, Huey.message({ id: "1", name: "job", call })))
    expect([...message.fields]).toEqual(["1", "job", null, 0, 0, null, [], {}, null, null, null, null, null, null])
  })

  it("undefined is None", () => {
    expect([...decode(codec, encode(codec, withArg(undefined))).call.args]).toEqual([null])
  })
})

describe("signatures", () => {
  const signed = sample("signed.3.3.0.msg")
  const codec = Huey.make({ signing })
  const wrong = { reason: "Signature", detail: "the signature is wrong: another secret or salt, or a forgery" }

  it("signs as huey does", () => {
    const message = decode(codec, signed)
    const bytes = Buffer.from(encode(codec, message))
    expect(bytes.toString("latin1", bytes.length - 41)).toMatch(/^:[0-9a-f]{40}$/)
    expect(json(decode(codec, bytes))).toEqual(json(message))
  })
  it("the salt is huey's unless it is given", () => {
    expect(Either.isRight(Huey.make({ signing: { secret: signing.secret } }).decode(signed))).toBe(true)
  })
  it.each([
    ["another secret", { ...signing, secret: Redacted.make("wrong horse") }],
    ["another salt", { ...signing, salt: "salt" }]
  ])("refuses %s", (_, other) => {
    expect(refusal(Huey.make({ signing: other }).decode(signed))).toEqual(wrong)
  })
  it("refuses a changed byte", () => {
    for (const at of [0, 100, signed.length - 42, signed.length - 1]) {
      const changed = Buffer.from(signed)
      changed[at] = changed[at] === 0x61 ? 0x62 : 0x61
      expect(refusal(codec.decode(changed)), `byte ${at}`).toEqual(wrong)
    }
  })
  it("refuses an unsigned message", () => {
    expect(refusal(codec.decode(sample("plain.3.3.0.msg")))).toEqual({
      reason: "Signature",
      detail: "the message is not signed"
    })
  })
  it("refuses a signed message where no secret is set", () => {
    expect(refusal(Huey.make().decode(signed))).toEqual({
      reason: "Signature",
      detail: "the message is signed, but no EDUMFA_QUEUE_WORKER_SIGNING_SECRET is set"
    })
  })
  it("the signature is inside the compression", () => {
    const packing = Huey.make({ signing, compression: true })
    const bytes = encode(packing, decode(codec, signed))
    expect(bytes[0]).toBe(0x1f)
    expect(decode(codec, bytes).id).toBe(decode(codec, signed).id)
  })
})

describe("compression", () => {
  const plain = decode(Huey.make(), sample("plain.3.3.0.msg"))
  const gzip = encode(Huey.make({ compression: true }), plain)
  const zlib = encode(Huey.make({ compression: true, useZlib: true }), plain)

  it("writes gzip or zlib and reads either, whatever is set", () => {
    expect([gzip[0], zlib[0]]).toEqual([0x1f, 0x78])
    for (const codec of [Huey.make(), Huey.make({ compression: true, useZlib: true })]) {
      for (const bytes of [gzip, zlib]) expect(decode(codec, bytes).id).toBe(plain.id)
    }
  })
  it.each([
    ["gzip", gzip],
    ["zlib", zlib]
  ])("%s: refuses a part and an excess", (_, bytes) => {
    expect(refusal(Huey.make().decode(bytes.subarray(0, -3)))).toEqual({
      reason: "Compression",
      detail: "cannot be unpacked (Z_BUF_ERROR)"
    })
    const more = refusal(Huey.make().decode(Buffer.concat([bytes, Buffer.from("more")])))
    expect(more).toMatchObject({ reason: "Compression" })
  })
})

describe("config", () => {
  const read = (values: Record<string, string>) =>
    Effect.either(Effect.withConfigProvider(Huey.config, ConfigProvider.fromMap(new Map(Object.entries(values)))))

  it.effect("huey's defaults", () =>
    Effect.gen(function* () {
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
      expect(
        Either.map(yield* read({}), (it) => ({ ...it, timeZone: it.timeZone && TimeZone.nameOf(it.timeZone) }))
      ).toEqual(Either.right({ compression: false, useZlib: false, utc: true, timeZone }))
    })
  )
  it.effect("every key", () =>
    Effect.gen(function* () {
      const options = yield* read({
        EDUMFA_JOB_QUEUE_COMPRESSION: "true",
        EDUMFA_JOB_QUEUE_USE_ZLIB: "true",
        EDUMFA_JOB_QUEUE_UTC: "false",
        EDUMFA_QUEUE_WORKER_SIGNING_SECRET: "correct horse",
        EDUMFA_QUEUE_WORKER_SIGNING_SALT: "salt",
        EDUMFA_QUEUE_WORKER_TIME_ZONE: "Europe/Berlin"
      })
      expect(options).toEqual(
        Either.right({
          compression: true,
          useZlib: true,
          utc: false,
          timeZone: DateTime.zoneUnsafeMakeNamed("Europe/Berlin"),
          signing: { secret: Redacted.make("correct horse"), salt: "salt" }
        })
      )
      expect(JSON.stringify(options)).not.toContain("correct horse")
    })
  )
  it.effect("an empty secret or salt is an error", () =>
    Effect.gen(function* () {
      for (const key of ["EDUMFA_QUEUE_WORKER_SIGNING_SECRET", "EDUMFA_QUEUE_WORKER_SIGNING_SALT"]) {
        expect(Either.isLeft(yield* read({ [key]: "" })), key).toBe(true)
      }
    })
  )
})
