/**
 * In which order mechanisms are tried, how many refused logins that may cost, and what a server that is new is worth.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import { BreakerStore, BreakerStoreError, makeMemory } from "../../src/Mailer/Breaker/BreakerStore.ts"
import { Known, layerShared } from "../../src/Mailer/Known.ts"
import type { ServerOptions } from "../../src/Mailer/ServerOptions.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { Mailer } from "../../src/Mailer.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as RawServer from "./RawServer.ts"

const all = ["AUTH LOGIN PLAIN CRAM-MD5"]

const definition = ({ port }: RawServer.RawServer, change: Partial<SmtpServer> = {}): SmtpServer => ({
  identifier: "test",
  host: "127.0.0.1",
  port,
  tls: "Opportunistic",
  username: "mfa",
  password: Redacted.make("mail-password"),
  sender: "mfa@example.org",
  timeout: 5_000,
  enqueueJob: true,
  ...change
})

const send = (server: SmtpServer) =>
  Effect.flatMap(Mailer, (mailer) =>
    mailer.send(
      server,
      { recipient: "ada@example.org", subject: "s", body: "b" },
      { id: "1", date: 0, stop: StopSignal.never }
    )
  )

const layer = (others: ServerOptions = {}) =>
  Smtp.layerOptions({ ehlo: "worker.example.org", others }).pipe(
    Layer.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
  )

/** Each attempt on connections of its own, as after the breaker let it through. */
const attempt = (server: SmtpServer, others: ServerOptions = {}) =>
  Effect.either(Effect.asVoid(send(server))).pipe(
    Effect.map((result) => (result._tag === "Right" ? "sent" : `${result.left.reason} ${result.left.verdict}`)),
    Effect.provide(layer(others))
  )

const refused = "Authentication Configuration"
const wrong = "535 5.7.8 authentication failed"

describe("the order", () => {
  it.scopedLive.each([
    ["AUTH LOGIN PLAIN CRAM-MD5", "CRAM-MD5"],
    ["AUTH XOAUTH2 LOGIN PLAIN", "PLAIN"],
    ["AUTH GSSAPI LOGIN", "LOGIN"],
    ["AUTH=LOGIN", "LOGIN"]
  ] as const)("of what smtplib tries: %s, so %s", ([offer, mechanism]) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: [offer] })
      expect(yield* attempt(definition(server))).toBe("sent")
      expect(server.logins).toEqual([mechanism])
    })
  )

  it.scopedLive.each([
    ["504 5.5.4 unrecognized", ["CRAM-MD5", "PLAIN"]],
    ["502 5.5.1 not here", ["CRAM-MD5", "PLAIN"]],
    ["535 5.7.8 no such mechanism", ["CRAM-MD5", "PLAIN"]]
  ] as const)("goes on where CRAM-MD5 is refused before a digest was sent, by %s", ([reply, logins]) =>
    Effect.gen(function* () {
      const begun: Array<string> = []
      const server = yield* RawServer.make({
        extensions: all,
        answer: (command) => {
          if (!command.startsWith("AUTH CRAM-MD5")) return undefined
          begun.push("CRAM-MD5")
          return reply
        }
      })
      expect(yield* attempt(definition(server))).toBe("sent")
      expect([...begun, ...server.logins]).toEqual(logins)
    })
  )

  it.scopedLive("goes on where a mechanism is too weak, and no login is refused", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({
        extensions: all,
        answerLogin: (mechanism) => (mechanism === "LOGIN" ? undefined : "534 5.7.9 too weak")
      })
      expect(yield* attempt(definition(server))).toBe("sent")
      expect(server.logins).toEqual(["CRAM-MD5", "PLAIN", "LOGIN"])
    })
  )
})

describe("a wrong password", () => {
  it.scopedLive("costs two refused logins in every other attempt, as by smtplib, and one between them", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: all, answerLogin: () => wrong })
      for (const count of [2, 3, 5, 6]) {
        expect(yield* attempt(definition(server))).toBe(refused)
        expect(server.logins.length).toBe(count)
      }
      expect(server.logins).toEqual(["CRAM-MD5", "PLAIN", "PLAIN", "CRAM-MD5", "PLAIN", "PLAIN"])
      expect(server.mails).toEqual([])
    })
  )

  it.scopedLive("is tried by CRAM-MD5 alone where nothing else may be used", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: all, answerLogin: () => wrong })
      const keep = { allowPlaintextAuth: false }
      for (const _ of [1, 2]) expect(yield* attempt(definition(server), keep)).toBe(refused)
      expect(server.logins).toEqual(["CRAM-MD5", "CRAM-MD5"])
    })
  )

  it.scopedLive("of one user says nothing about CRAM-MD5 for another", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({
        extensions: all,
        answerLogin: (_, response) => (response.includes("stranger") ? wrong : undefined)
      })
      expect(yield* attempt(definition(server, { username: "stranger" }))).toBe(refused)
      expect(yield* attempt(definition(server))).toBe("sent")
      expect(server.logins).toEqual(["CRAM-MD5", "PLAIN", "CRAM-MD5"])
    })
  )

  it.scopedLive(
    "is not told from a server that cannot check CRAM-MD5: PLAIN is used at once, and alone from then on",
    () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make({
          extensions: all,
          answerLogin: (mechanism) => (mechanism === "CRAM-MD5" ? wrong : undefined)
        })
        for (const _ of [1, 2]) expect(yield* attempt(definition(server))).toBe("sent")
        expect(server.logins).toEqual(["CRAM-MD5", "PLAIN", "PLAIN"])
      })
  )

  it.scopedLive("with a NUL, which would begin another user name on the wire, is never sent", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: ["AUTH PLAIN"] })
      expect(yield* attempt(definition(server, { username: "mfa\0admin" }))).toBe(refused)
      expect(yield* attempt(definition(server, { password: Redacted.make("a\0b") }))).toBe(refused)
      expect(server.logins).toEqual([])
    })
  )
})

describe("a mail server that is new", () => {
  /** The lines at WARNING of mails sent one after the other. */
  const warnings = (servers: ReadonlyArray<SmtpServer>) =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel.label === "WARN") lines.push(String(message))
      })
      yield* Effect.forEach(servers, send).pipe(
        Effect.provide(layer()),
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      return lines
    })

  it.scopedLive("is logged before it gets a password, once", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: all })
      const { username: _, ...nobody } = definition(server)
      const line = `127.0.0.1:${server.port} gets a password from this queue for the first time`
      expect(yield* warnings([nobody, definition(server), definition(server, { username: "other" })])).toEqual([line])
      expect(yield* warnings([definition(server)])).toEqual([])
    })
  )

  it.scopedLive("is what a layer says", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions: all })
      const asked: Array<string> = []
      const known = Layer.succeed(Known, {
        isNew: (hostPort) => Effect.sync(() => asked.push(hostPort) === 0)
      })
      expect(yield* Effect.provide(warnings([definition(server)]), known)).toEqual([])
      expect(asked).toEqual([`127.0.0.1:${server.port}`])
    })
  )

  it.scopedLive("is remembered by all mailers that share their breakers, over restarts", () =>
    Effect.gen(function* () {
      const store = Layer.succeed(BreakerStore, makeMemory())
      const isNew = (hostPort: string) =>
        Effect.flatMap(Known, (known) => known.isNew(hostPort)).pipe(Effect.provide(Layer.provide(layerShared, store)))
      expect(yield* isNew("mail.example.org:587")).toBe(true)
      expect(yield* isNew("mail.example.org:587")).toBe(false)
      expect(yield* isNew("other.example.org:587")).toBe(true)
    })
  )

  it.scopedLive("is new where the store of the breakers does not answer", () =>
    Effect.gen(function* () {
      const silent = Layer.succeed(BreakerStore, {
        exchange: () => Effect.fail(new BreakerStoreError({ detail: "away", cause: undefined }))
      })
      const { isNew } = yield* Effect.provide(Known, Layer.provide(layerShared, silent))
      expect([yield* isNew("a:25"), yield* isNew("a:25")]).toEqual([true, false])
    })
  )
})
