import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { parse, redact } from "../../src/Redis/Url.ts"

/** What redis-py makes of each URL: its arguments, absent ones at redis-py's defaults. */
const Sample = Schema.Struct({
  url: Schema.String,
  error: Schema.optional(Schema.String),
  result: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})

const samples = Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Sample)))(
  readFileSync(new URL("../fixtures/redis-urls.json", import.meta.url), "utf8")
)

const fields = (url: string) =>
  Either.match(parse(url), {
    onLeft: (error) => ({ reason: error.reason, detail: error.message }),
    onRight: ({ password, ...rest }) =>
      password === undefined ? rest : { ...rest, password: Redacted.value(password) }
  })

const addressKeys = ["host", "port", "db", "username", "password"]

const inScope = samples.filter(
  ({ url, result }) =>
    !/^(?:rediss|unix):/.test(url) &&
    result !== undefined &&
    Object.keys(result).every((key) => addressKeys.includes(key))
)
const notYet = samples.filter((sample) => sample.result !== undefined && !inScope.includes(sample))
const errors = samples.filter(({ error }) => error !== undefined)

describe("URLs of redis-py", () => {
  it("are all looked at", () => {
    expect([inScope.length, notYet.length, errors.length]).toStrictEqual([33, 23, 13])
  })

  it.each(inScope.map(({ url, result }) => [url, result] as const))("%s", (url, result) => {
    const { port = 6379 } = result ?? {}
    expect(fields(url)).toStrictEqual({ host: "localhost", db: 0, ...result, port: Number(port) })
  })

  it.each(notYet.map(({ url }) => [url]))("%s is refused by name", (url) => {
    expect(fields(url)).toMatchObject({ reason: "Unsupported" })
  })

  it.each(errors.map(({ url }) => [url]))("%s is refused", (url) => {
    const reason = url.startsWith("redis://h:")
      ? "Port"
      : url.startsWith("redis://h?db=x")
        ? "Database"
        : url.startsWith("unix:")
          ? "Unsupported"
          : "Scheme"
    expect(fields(url)).toMatchObject({ reason })
  })
})

describe("refusals", () => {
  it.each([
    ["rediss://:hunter2@h", "URLs that begin with rediss:// are not supported yet; use redis://"],
    ["unix:///run/redis.sock", "URLs that begin with unix:// are not supported yet; use redis://"],
    ["redis://h?socket_timeout=5", "the option socket_timeout is not supported yet; remove it from the URL"],
    ["redis://:a?hunter2=b@h", "an option after the question mark is not supported yet; remove it from the URL"],
    ["redis://h:port", "the port is not a number from 0 to 65535"],
    ["redis://:hunter/2@h", "the port is not a number from 0 to 65535"],
    ["redis://h:65536", "the port is not a number from 0 to 65535"],
    ["redis://h?db=x", "the option db is not a number"],
    ["redis://[::1", "square brackets belong around an IPv6 address; write others as %5B and %5D"],
    ["redis://[example.org]", "the address in brackets is not an IPv6 address"],
    ["http://:hunter2@h", "the URL must begin with redis://"],
    ["", "the URL must begin with redis://"]
  ])("%s", (url, detail) => {
    expect(fields(url)).toMatchObject({ detail })
  })
})

describe("more than the samples", () => {
  it.each([
    ["redis://h:0", { host: "h", port: 6379, db: 0 }],
    ["redis://h:65535", { host: "h", port: 65535, db: 0 }],
    ["redis://h?password=a+b&password=c", { host: "h", port: 6379, db: 0, password: "a b" }],
    ["redis://H.Example.ORG", { host: "h.example.org", port: 6379, db: 0 }],
    ["redis://h/%31_0", { host: "h", port: 6379, db: 10 }],
    ["redis://:%C3%A4%FF@h", { host: "h", port: 6379, db: 0, password: "ä\ufffd" }],
    ["redis://:a\tb@h\n", { host: "h", port: 6379, db: 0, password: "ab" }],
    ["redis://[FE80::1%25Eth0]:1", { host: "fe80::1%Eth0", port: 1, db: 0 }]
  ])("%j", (url, address) => {
    expect(fields(url)).toStrictEqual(address)
  })
})

describe("redact", () => {
  it.each([
    ["redis://", "redis://localhost:6379/0"],
    ["redis://user:hunter2@h:1/2", "redis://***@h:1/2"],
    ["redis://hunter2@h", "redis://***@h:6379/0"],
    ["redis://h?password=hunter2", "redis://***@h:6379/0"],
    ["redis://[::1]/3", "redis://[::1]:6379/3"],
    ["redis://:hunter/2@h", "an unusable Redis URL"],
    ["hunter2", "an unusable Redis URL"]
  ])("%s", (url, shown) => {
    expect(redact(url)).toBe(shown)
  })
})
