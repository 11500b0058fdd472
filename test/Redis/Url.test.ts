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

/** What we make of it, secrets in the clear. */
const fields = (url: string) =>
  Either.match(parse(url), {
    onLeft: (error) => ({ reason: error.reason, detail: error.message }),
    onRight: ({ address }) => plain(address)
  })

const plain = (value: unknown): unknown => {
  if (Redacted.isRedacted(value)) return Redacted.value(value)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

const notes = (url: string) => Either.map(parse(url), (parsed) => parsed.notes)

/** What is an address as redis-py reads it, and not for us: its options mean nothing to huey, or redis-py fails later. */
const refused: ReadonlyMap<string, string> = new Map([
  ["redis://h?foo=bar", "the option foo is not supported; remove it from the URL"],
  ["redis://h?timeout=20", "the option timeout is not supported; remove it from the URL"],
  [
    "rediss://u:p@h:6380/7?ssl_cert_reqs=optional&decode_responses=True",
    "the option decode_responses is not supported; remove it from the URL"
  ],
  ["rediss://h?ssl_cert_reqs=CERT_NONE", "the option ssl_cert_reqs is not none, optional or required"],
  ["unix://", "the path of the Unix socket is missing"]
])

/** Fields of an address that redis-py and we call by the same name. */
const same = ["host", "db", "username", "password", "path"]
const withoutEffect = ["retry_on_timeout", "max_connections", "health_check_interval", "protocol", "encoding"]

const renamed: ReadonlyMap<string, readonly [field: string, read: (value: unknown) => unknown]> = new Map([
  ["port", ["port", (value) => Number(value)]],
  ["socket_timeout", ["replyTimeout", (seconds) => Number(seconds) * 1_000]],
  ["socket_connect_timeout", ["connectTimeout", (seconds) => Number(seconds) * 1_000]],
  ["socket_keepalive", ["keepAlive", (value) => value]]
])

const renamedTls: typeof renamed = new Map([
  ["ssl_cert_reqs", ["verify", (value) => value !== "none"]],
  ["ssl_check_hostname", ["checkName", (value) => value]],
  ["ssl_ca_certs", ["caFile", (value) => value]],
  ["ssl_certfile", ["certFile", (value) => value]],
  ["ssl_keyfile", ["keyFile", (value) => value]],
  ["ssl_min_version", ["minVersion", (value) => (value === 771 ? "TLSv1.2" : value)]]
])

/** redis-py's arguments as an address of ours. */
const translate = ({ connection_class: kind, ...result }: Readonly<Record<string, unknown>>) => {
  const address = new Map<string, unknown>([["db", 0]])
  const tls = new Map<string, unknown>(Object.entries({ verify: true, checkName: true, minVersion: "TLSv1.2" }))
  if (kind !== "UnixDomainSocketConnection") address.set("host", "localhost").set("port", 6379)
  for (const [name, value] of Object.entries(result)) {
    const [field, read] = renamed.get(name) ?? []
    const [tlsField, readTls] = renamedTls.get(name) ?? []
    if (same.includes(name)) address.set(name, value)
    else if (field !== undefined) address.set(field, read?.(value))
    else if (tlsField !== undefined) tls.set(tlsField, readTls?.(value))
    // Redis takes no such name: see the note that is expected.
    else if (name === "client_name") expect(value).toBe("mfa worker")
    else expect(withoutEffect).toContain(name)
  }
  if (kind === "SSLConnection") address.set("tls", Object.fromEntries(tls))
  return Object.fromEntries(address)
}

const addresses = samples.filter(({ url, result }) => result !== undefined && !refused.has(url))
const errors = samples.filter(({ error }) => error !== undefined)

describe("URLs of redis-py", () => {
  it("are all looked at", () => {
    expect([addresses.length, refused.size, errors.length]).toStrictEqual([51, 5, 13])
    expect(addresses.length + refused.size + errors.length).toBe(samples.length)
  })

  it.each(addresses.map(({ url, result = {} }) => [url, result] as const))("%s", (url, result) => {
    expect(fields(url)).toStrictEqual(translate(result))
    const expected = Object.keys(result).filter((name) => withoutEffect.includes(name))
    const said = Either.getOrThrow(notes(url))
    expect(said).toHaveLength(expected.length + ("client_name" in result ? 1 : 0))
    for (const name of expected) expect(said.join("\n")).toContain(`the option ${name} has no effect here: `)
  })

  it.each([...refused])("%s is refused by name", (url, detail) => {
    expect(fields(url)).toMatchObject({ detail })
  })

  it.each(errors.map(({ url }) => [url]))("%s is refused", (url) => {
    const reason = url.startsWith("redis://h:") ? "Port" : url.includes("?db=x") ? "Database" : "Scheme"
    expect(fields(url)).toMatchObject({ reason })
  })
})

describe("refusals", () => {
  it.each([
    ["redis://:a?hunter2=b@h", "an option after the question mark is not supported; remove it from the URL"],
    ["redis://:ssl_hunter?ssl_2=b@h", "an option after the question mark is not supported; remove it from the URL"],
    ["redis://h?Hunter+2=b", "an option after the question mark is not supported; remove it from the URL"],
    ["redis://h:port", "the port is not a number from 0 to 65535"],
    ["redis://:hunter/2@h", "the port is not a number from 0 to 65535"],
    ["redis://h:65536", "the port is not a number from 0 to 65535"],
    ["redis://h?db=x", "the option db is not a number"],
    ["redis://[::1", "square brackets belong around an IPv6 address; write others as %5B and %5D"],
    ["redis://[example.org]", "the address in brackets is not an IPv6 address"],
    ["http://:hunter2@h", "the URL must begin with redis://, rediss:// or unix://"],
    ["", "the URL must begin with redis://, rediss:// or unix://"],
    ["redis://h?socket_timeout=0", "the option socket_timeout is not a number of seconds above 0"],
    ["redis://h?socket_timeout=soon", "the option socket_timeout is not a number of seconds above 0"],
    ["redis://h?socket_connect_timeout=-1", "the option socket_connect_timeout is not a number of seconds above 0"],
    ["redis://h?path=/run/r.sock", "the option path means nothing in a URL that begins with redis://; remove it"],
    ["unix:///r.sock?host=h", "the option host means nothing in a URL that begins with unix://; remove it"],
    ["redis://h?encoding=latin-1", "this encoding is not supported; remove it from the URL"],
    // What is about security is never left out.
    ["redis://h?ssl_cert_reqs=required", "the option ssl_cert_reqs needs a URL that begins with rediss://"],
    ["unix:///r.sock?ssl_ca_certs=/c", "the option ssl_ca_certs needs a URL that begins with rediss://"],
    ["rediss://h?ssl_validate_ocsp=true", "the option ssl_validate_ocsp is not supported; remove it from the URL"],
    ["rediss://h?ssl_of_tomorrow=1", "the option ssl_of_tomorrow is not supported; remove it from the URL"],
    ["rediss://h?ssl_min_version=1.2", "the option ssl_min_version is not 769, 770, 771 (TLS 1.2) or 772 (TLS 1.3)"],
    ["rediss://h?ssl_keyfile=/k", "the option ssl_keyfile needs ssl_certfile"]
  ])("%s", (url, detail) => {
    expect(fields(url)).toMatchObject({ detail })
  })
})

describe("more than the samples", () => {
  const tls = { verify: true, checkName: true, minVersion: "TLSv1.2" }

  it.each([
    ["redis://h:0", { host: "h", port: 6379, db: 0 }],
    ["redis://h:65535", { host: "h", port: 65535, db: 0 }],
    ["redis://h?password=a+b&password=c", { host: "h", port: 6379, db: 0, password: "a b" }],
    ["redis://H.Example.ORG", { host: "h.example.org", port: 6379, db: 0 }],
    ["redis://h/%31_0", { host: "h", port: 6379, db: 10 }],
    ["redis://:%C3%A4%FF@h", { host: "h", port: 6379, db: 0, password: "ä\ufffd" }],
    ["redis://:a\tb@h\n", { host: "h", port: 6379, db: 0, password: "ab" }],
    ["redis://[FE80::1%25Eth0]:1", { host: "fe80::1%Eth0", port: 1, db: 0 }],
    ["redis://h?client_name=mfa-worker", { host: "h", port: 6379, db: 0, clientName: "mfa-worker" }],
    ["redis://h?socket_connect_timeout=30", { host: "h", port: 6379, db: 0, connectTimeout: 10_000 }],
    ["redis://h?socket_timeout=3600", { host: "h", port: 6379, db: 0, replyTimeout: 60_000 }],
    ["unix://?path=/run/r.sock&username=u&password=p", { path: "/run/r.sock", db: 0, username: "u", password: "p" }],
    ["unix://ignored/run/r.sock?path=/other", { path: "/run/r.sock", db: 0 }],
    [
      "rediss://h?ssl_ca_path=/a&ssl_ca_data=PEM&ssl_certfile=/c&ssl_password=pw&ssl_ciphers=HIGH&ssl_min_version=772",
      {
        host: "h",
        port: 6379,
        db: 0,
        tls: {
          ...tls,
          minVersion: "TLSv1.3",
          caDirectory: "/a",
          caData: "PEM",
          certFile: "/c",
          keyPassword: "pw",
          ciphers: "HIGH"
        }
      }
    ],
    ["rediss://h?ssl_min_version=769", { host: "h", port: 6379, db: 0, tls }]
  ])("%j", (url, address) => {
    expect(fields(url)).toStrictEqual(address)
  })

  it("says what does not count as it was written", () => {
    expect(
      Either.getOrThrow(notes("rediss://h?ssl_min_version=770&socket_timeout=61&socket_connect_timeout=11&lib_name=x"))
    ).toStrictEqual([
      "ssl_min_version counts as 771: TLS is 1.2 at least",
      "socket_timeout counts as 60 seconds: a dead connection has to be noticed",
      "socket_connect_timeout counts as 10 seconds: a dead connection has to be noticed",
      "the option lib_name has no effect here: no library name is sent"
    ])
  })
})

describe("every option of redis-py", () => {
  const honoured = {
    redis: {
      db: "1",
      username: "u",
      password: "p",
      host: "h",
      port: "1",
      socket_connect_timeout: "1",
      socket_timeout: "1",
      socket_keepalive: "1",
      client_name: "n"
    },
    rediss: {
      ssl_cert_reqs: "none",
      ssl_check_hostname: "0",
      ssl_ca_certs: "/f",
      ssl_ca_path: "/d",
      ssl_ca_data: "PEM",
      ssl_certfile: "/c",
      ssl_password: "p",
      ssl_min_version: "772",
      ssl_ciphers: "HIGH"
    },
    unix: { path: "/s" }
  }

  it.each(
    Object.entries(honoured).flatMap(([scheme, options]) =>
      Object.entries(options).map(([name, value]) => `${scheme}://?${name}=${value}`)
    )
  )("%s changes the address, without a word", (url) => {
    const plain = url.startsWith("unix") ? "unix:///" : url.replace(/\?.*/, "")
    expect(fields(url)).not.toStrictEqual(fields(plain))
    expect(fields(url)).not.toHaveProperty("reason")
    expect(Either.getOrThrow(notes(url))).toStrictEqual([])
  })

  it("the key goes with its certificate", () => {
    expect(fields("rediss://h?ssl_certfile=/c&ssl_keyfile=/k")).toMatchObject({
      tls: { certFile: "/c", keyFile: "/k" }
    })
  })

  it.each([
    "health_check_interval=30",
    "max_connections=10",
    "retry_on_timeout=True",
    "retry_on_error=x",
    "socket_read_size=65536",
    "protocol=3",
    "legacy_responses=1",
    "lib_name=redis-py",
    "lib_version=6",
    "encoding=utf-8",
    "encoding_errors=strict"
  ])("%s has no effect, and says so once", (option) => {
    const [name = ""] = option.split("=")
    expect(fields(`redis://h?${option}`)).toStrictEqual(fields("redis://h"))
    const said = Either.getOrThrow(notes(`redis://h?${option}`))
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(new RegExp(`^the option ${name} has no effect here: `))
  })

  it.each([
    "decode_responses",
    "timeout",
    "retry",
    "parser_class",
    "connection_class",
    "credential_provider",
    "socket_keepalive_options",
    "socket_type",
    "redis_connect_func",
    "event_dispatcher",
    "cache",
    "cache_config",
    "command_packer",
    "maint_notifications_config",
    "ssl",
    "ssl_validate_ocsp",
    "ssl_validate_ocsp_stapled",
    "ssl_ocsp_context",
    "ssl_ocsp_expected_cert",
    "ssl_include_verify_flags",
    "ssl_exclude_verify_flags",
    "ssl_of_tomorrow"
  ])("%s is refused by name", (name) => {
    expect(fields(`rediss://:secret@h?${name}=1`)).toMatchObject({
      reason: "Option",
      detail: `the option ${name} is not supported; remove it from the URL`
    })
  })
})

describe("redact", () => {
  it.each([
    ["redis://", "redis://localhost:6379/0"],
    ["redis://user:hunter2@h:1/2", "redis://***@h:1/2"],
    ["redis://hunter2@h", "redis://***@h:6379/0"],
    ["redis://h?password=hunter2", "redis://***@h:6379/0"],
    ["redis://[::1]/3", "redis://[::1]:6379/3"],
    ["rediss://:hunter2@h?ssl_password=hunter2", "rediss://***@h:6379/0"],
    ["unix://:hunter2@/run/r.sock?db=3", "unix://***@/run/r.sock?db=3"],
    ["redis://:hunter/2@h", "an unusable Redis URL"],
    ["hunter2", "an unusable Redis URL"]
  ])("%s", (url, shown) => {
    expect(redact(url)).toBe(shown)
  })
})
