import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { fromRow, makeReader, type SmtpServer, toRow } from "../src/SmtpServer.ts"

const row = {
  id: 3,
  identifier: "campus",
  server: "mail.example.org",
  port: 587,
  username: "mfa",
  password: "63e9a2d7ebf301f9974f896336362ca3:3bb54c1000bf77860f063b71222f1f1e",
  sender: "eduMFA <mfa@example.org>",
  tls: true,
  description: "the campus",
  timeout: 5,
  enqueue_job: true
}

/** The server with its password in clear, so that it can be compared. */
const read = (overrides: Record<string, unknown> = {}) =>
  Either.match(fromRow({ ...row, ...overrides }), {
    onLeft: (error) => `${error.reason}, ${error.verdict}: ${error.message}`,
    onRight: ({ password, ...server }) => ({
      ...server,
      ...(password === undefined ? {} : { password: Redacted.value(password) })
    })
  })

const address = (server: string, port: unknown = null, tls: unknown = false) => {
  const result = read({ server, port, tls })
  return typeof result === "string" ? result : [result.host, result.port, result.tls]
}

describe("fromRow", () => {
  it("reads eduMFA's row, and a dict as a Map", () => {
    const expected = {
      identifier: "campus",
      host: "mail.example.org",
      port: 587,
      tls: "StartTls",
      username: "mfa",
      password: "63e9a2d7ebf301f9974f896336362ca3:3bb54c1000bf77860f063b71222f1f1e",
      sender: "eduMFA <mfa@example.org>",
      timeout: 5000,
      enqueueJob: true
    }
    expect(read()).toEqual(expected)
    expect(fromRow(new Map(Object.entries(row)))).toEqual(fromRow(row))
  })

  it("takes None and empty strings for absent", () => {
    const absent = { identifier: "campus", host: "mail.example.org", port: 25, tls: "Opportunistic", timeout: 10_000 }
    const nones = { port: null, username: null, password: null, sender: null, tls: null, timeout: null }
    expect(read({ ...nones, enqueue_job: 0 })).toEqual({ ...absent, enqueueJob: false })
    expect(read({ ...nones, username: "", password: "", sender: " ", enqueue_job: null })).toEqual({
      ...absent,
      enqueueJob: true
    })
    expect(Either.map(fromRow({ server: "mail" }), ({ host, identifier }) => [identifier, host])).toEqual(
      Either.right(["", "mail"])
    )
  })

  it.each([
    ["mail.example.org", null, "mail.example.org", 25, "Opportunistic"],
    [" mail.example.org\n", "2525", "mail.example.org", 2525, "Opportunistic"],
    ["mail.example.org", 0, "mail.example.org", 25, "Opportunistic"],
    ["mail.example.org:2525", 25, "mail.example.org", 2525, "Opportunistic"],
    ["mail.example.org:0", 587, "mail.example.org", 587, "Opportunistic"],
    ["mail.example.org/path", 587, "mail.example.org", 587, "Opportunistic"],
    ["smtp://mail.example.org", null, "mail.example.org", 25, "Opportunistic"],
    ["SMTPS://mail.example.org/path", null, "mail.example.org", 465, "Implicit"],
    ["smtps://mail.example.org", 8465, "mail.example.org", 8465, "Implicit"],
    ["smtps://user:p@ss@mail.example.org:4650/a?b#c", 465, "mail.example.org", 4650, "Implicit"],
    ["::1", 25, "::1", 25, "Opportunistic"],
    ["[::1]", null, "::1", 25, "Opportunistic"],
    ["[::1]:2525", 25, "::1", 2525, "Opportunistic"],
    ["smtps://[2001:db8::1]:4650", null, "2001:db8::1", 4650, "Implicit"],
    ["smtps://2001:db8::1", null, "2001:db8::1", 465, "Implicit"],
    ["127.0.0.1:2525", null, "127.0.0.1", 2525, "Opportunistic"],
    ["bücher.example", null, "xn--bcher-kva.example", 25, "Opportunistic"],
    ["my_host", null, "my_host", 25, "Opportunistic"]
  ])("%j with port %j", (server, port, host, expectedPort, tls) => {
    expect(address(server, port)).toEqual([host, expectedPort, tls])
  })

  it.each([
    [true, "StartTls"],
    [1, "StartTls"],
    [false, "Opportunistic"],
    [0, "Opportunistic"],
    [null, "Opportunistic"]
  ])("tls %j: %s", (tls, expected) => {
    expect(address("mail.example.org", 25, tls)).toEqual(["mail.example.org", 25, expected])
    expect(address("smtps://mail.example.org", 25, tls)).toEqual(["mail.example.org", 25, "Implicit"])
  })

  it.each([
    [10, 10_000],
    ["7", 7000],
    [0, 10_000],
    [-1, 10_000],
    [null, 10_000],
    ["", 10_000],
    ["soon", 10_000],
    [60, 60_000],
    [3600, 60_000],
    [0.25, 250],
    [0.0001, 1]
  ])("timeout %j: %i ms", (timeout, expected) => {
    expect(read({ timeout })).toMatchObject({ timeout: expected })
  })

  it.each(["http://mail.example.org", "file:///etc/passwd", "lmtp://mail.example.org", "smtp+ssl://mail.example.org"])(
    "refuses the scheme of %j",
    (server) => {
      expect(address(server)).toBe("Scheme, Permanent: SMTP server: server is neither smtp:// nor smtps://")
    }
  )

  it.each([
    "",
    "smtp://",
    "file:/etc/passwd",
    "mail.example.org:",
    "mail.example.org:smtp",
    "mail.example.org\r\nRCPT TO:<x@y>",
    "user@mail.example.org",
    "mail example org",
    "[::1",
    "[mail.example.org]",
    "a:b:c",
    "mail..example.org"
  ])("refuses the host of %j", (server) => {
    expect(address(server)).toBe("Host, Permanent: SMTP server: server is no host name, address or host:port")
  })

  it.each([70_000, -1, 25.5, "smtp", "65536"])("refuses port %j", (port) => {
    expect(address("mail.example.org", port)).toBe("Port, Permanent: SMTP server: port is not between 1 and 65535")
  })

  it("refuses wrong types by the key alone: the value may be a password", () => {
    expect(read({ password: ["hunter2"] })).toBe(
      "Malformed, Permanent: SMTP server: password is missing or of the wrong type"
    )
    expect(read({ server: 7 })).toBe("Malformed, Permanent: SMTP server: server is missing or of the wrong type")
    expect(read({ tls: "yes" })).toBe("Malformed, Permanent: SMTP server: tls is missing or of the wrong type")
    for (const value of ["hunter2", null, 7]) {
      expect(Either.mapLeft(fromRow(value), (error) => error.detail)).toEqual(Either.left("not a dict"))
    }
  })

  it("never sends unsigned what was to be signed", () => {
    const fault = "Smime, Configuration: SMTP server: S/MIME is not supported"
    for (const smime of [true, 1, "True"]) expect(read({ smime })).toBe(fault)
    for (const smime of [false, 0, null, ""]) expect(read({ smime })).toEqual(read())
  })
})

describe("toRow", () => {
  const server: SmtpServer = {
    identifier: "campus",
    host: "mail.example.org",
    port: 587,
    tls: "StartTls",
    username: "mfa",
    password: Redacted.make("mail-password"),
    sender: "eduMFA <mfa@example.org>",
    timeout: 2500,
    enqueueJob: true
  }

  it("is what eduMFA puts into a job", () => {
    expect(toRow(server)).toEqual({
      identifier: "campus",
      server: "mail.example.org",
      port: 587,
      username: "mfa",
      password: "mail-password",
      sender: "eduMFA <mfa@example.org>",
      tls: true,
      description: "",
      timeout: 2.5,
      enqueue_job: true
    })
  })

  const bare: SmtpServer = {
    identifier: "",
    host: "::1",
    port: 25,
    tls: "Opportunistic",
    timeout: 1,
    enqueueJob: false
  }

  it.each([
    ["StartTls", server],
    ["Opportunistic, nothing optional", bare],
    ["Implicit over IPv6", { ...bare, tls: "Implicit" as const }],
    ["Implicit on the port of SMTP", { ...server, tls: "Implicit" as const, port: 25 }]
  ])("gives fromRow the same server: %s", (_, original) => {
    const back = Either.getOrThrow(fromRow(toRow(original)))
    expect(back).toEqual(original)
    expect(back.password && Redacted.value(back.password)).toBe(original.password && Redacted.value(original.password))
  })

  it("refuses a server that is longer than any", () => {
    const refusal = (server: string) =>
      Either.match(fromRow({ server }), { onLeft: String, onRight: ({ host }) => host })
    const label = "a".repeat(62)
    expect(refusal(`${label}.${label}.${label}.${label}`)).toBe(`${label}.${label}.${label}.${label}`)
    expect(refusal(`${label}.${label}.${label}.${label}.bb`)).toContain("server is no host name")
    expect(refusal(`host/${"x".repeat(2_000)}`)).toContain("server is longer than any host name and path")
  })
})

describe("a reader", () => {
  const withoutPassword = Object.fromEntries(Object.entries(row).filter(([key]) => key !== "password"))
  const variants = [
    row,
    { ...row, password: "another" },
    { ...row, server: "other.example.org" },
    { ...row, more: 1 },
    { ...row, more: undefined },
    withoutPassword,
    { ...withoutPassword, more: undefined },
    { ...row, smime: { private_key: "" } },
    { ...row, identifier: null },
    { ...row, port: 0 },
    { server: "ftp://mail" },
    new Map(Object.entries(row)),
    null,
    "row"
  ]

  it("reads each row as fromRow does, whatever it has read before", () => {
    const read = makeReader()
    for (const first of variants) {
      for (const second of variants) {
        read(first)
        expect(read(structuredClone(second))).toEqual(fromRow(second))
      }
    }
  })

  it("gives the same server for the same row, of the last hundred", () => {
    const read = makeReader()
    const first = Either.getOrThrow(read(row))
    expect(Either.getOrThrow(read({ ...row }))).toBe(first)
    for (let index = 0; index < 100; index++) read({ ...row, identifier: String(index) })
    expect(Either.getOrThrow(read(row))).not.toBe(first)
  })

  it("sees what was changed in a row that it has read", () => {
    const read = makeReader()
    const changing = { ...row }
    const before = Either.getOrThrow(read(changing))
    changing.server = "other.example.org"
    expect(Either.getOrThrow(read(changing))).toMatchObject({ host: "other.example.org" })
    expect(before).not.toMatchObject({ host: "other.example.org" })
  })

  it.each([
    ["many keys", Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`more ${index}`, 1]))],
    ["a long text", { description: "x".repeat(5_000) }],
    ["a long key", { ["x".repeat(5_000)]: 1 }],
    ["a list", { more: [] }]
  ])("keeps no row with %s: of what jobs bring along it holds little", (_, more) => {
    const read = makeReader()
    const large = { ...row, ...more }
    const first = Either.getOrThrow(read(large))
    expect(first).toEqual(Either.getOrThrow(fromRow(row)))
    expect(Either.getOrThrow(read(large))).not.toBe(first)
  })
})
