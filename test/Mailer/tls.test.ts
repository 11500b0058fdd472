/**
 * Where TLS is asked for, no login and no mail travels without it, whatever a server or somebody on the way does; and
 * what is sound works.
 */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import type { ServerOptions } from "../../src/Mailer/ServerOptions.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { Mailer } from "../../src/Mailer.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as RawServer from "./RawServer.ts"

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/mail/${name}`, import.meta.url), "utf8")

const key = fixture("server.key")
const ca = fixture("ca.pem")

const extensions = ["AUTH PLAIN LOGIN"]

/** A server with this certificate. */
const secured = (mode: "StartTls" | "Implicit", certificate: string, more: Partial<RawServer.Options["tls"]> = {}) => ({
  extensions,
  tls: { mode, key, cert: fixture(certificate), ...more }
})

const definition = ({ port }: RawServer.RawServer, change: Partial<SmtpServer> = {}): SmtpServer => ({
  identifier: "test",
  host: "127.0.0.1",
  port,
  tls: "StartTls",
  username: "mfa",
  password: Redacted.make("mail-password"),
  sender: "mfa@example.org",
  timeout: 5_000,
  enqueueJob: true,
  ...change
})

const send = (server: SmtpServer, options: ServerOptions = {}) =>
  Effect.flatMap(Mailer, (mailer) =>
    mailer.send(
      server,
      { recipient: "ada@example.org", subject: "Your code", body: "736251" },
      { id: "1", date: 0, stop: StopSignal.never }
    )
  ).pipe(
    Effect.provide(
      Smtp.layerOptions({
        ehlo: "worker.example.org",
        servers: new Map([
          [`${server.host.includes(":") ? `[${server.host}]` : server.host.toLowerCase()}:${server.port}`, options]
        ])
      })
    ),
    Effect.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed }))
  )

/** What must not be read on the way: a login, or a mail. */
const nothingIn = ({ clear, commands, logins, mails }: RawServer.RawServer) => {
  expect(clear.join("")).not.toMatch(/AUTH|MAIL|RCPT|DATA|736251/i)
  for (const secret of ["mail-password", "mfa"]) {
    for (const encoding of ["latin1", "base64", "hex"] as const) {
      expect(clear.join("")).not.toContain(Buffer.from(secret).toString(encoding).replaceAll("=", ""))
    }
  }
  expect({ logins, mails }).toEqual({ logins: [], mails: [] })
  expect(commands.filter((it) => !/^(?:EHLO|STARTTLS|QUIT)/.test(it))).toEqual([])
}

/** As the definition asks for it, and as the server speaks it. */
const ways = [
  ["StartTls", "StartTls"],
  ["Implicit", "Implicit"],
  // With a login TLS is used where it is offered, and then it must be sound: no going back to none.
  ["Opportunistic", "StartTls"]
] as const

const certificates = [
  [
    "expired",
    "expired.pem",
    "the certificate has expired (CERT_HAS_EXPIRED); mend the certificate, or write EDUMFA_QUEUE_WORKER_SMTP = {'SERVER': {'verify': False}} to the configuration file"
  ],
  [
    "nobody signed",
    "self-signed.pem",
    "the certificate is signed by nobody but itself (DEPTH_ZERO_SELF_SIGNED_CERT); write EDUMFA_QUEUE_WORKER_SMTP = {'SERVER': {'ca': '/path.pem'}} to the configuration file, with that certificate in that file, or 'verify': False in place of it to trust any"
  ],
  [
    "by a CA that nobody knows",
    "server.pem",
    "the certificate is by a CA that is not known here (UNABLE_TO_VERIFY_LEAF_SIGNATURE); write EDUMFA_QUEUE_WORKER_SMTP = {'SERVER': {'ca': '/path.pem'}} to the configuration file, with the certificate of its CA in that file, or 'verify': False in place of it to trust any"
  ],
  [
    "for another host",
    "elsewhere.pem",
    "the certificate is for another name (ERR_TLS_CERT_ALTNAME_INVALID); call the mail server as its certificate does, or write EDUMFA_QUEUE_WORKER_SMTP = {'SERVER': {'verify': False}} to the configuration file"
  ]
] as const

describe.each(ways)("%s, and a server", (tls, mode) => {
  it.scopedLive.each(certificates)(
    "with a certificate that is %s is refused, and the refusal says what to write",
    ([, certificate, words]) =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(secured(mode, certificate))
        const trusted = ["self-signed.pem", "server.pem"].includes(certificate) ? {} : { ca }
        const error = yield* Effect.flip(send(definition(server, { tls }), { verify: true, ...trusted }))
        expect([error.reason, error.verdict]).toEqual(["Tls", "Configuration"])
        expect(error.detail).toBe(`while connecting: ${words.replace("SERVER", `127.0.0.1:${server.port}`)}`)
        nothingIn(server)
      })
  )

  it.scopedLive("that knows no TLS after 1.0 is refused, though its certificate is not looked at", () =>
    Effect.gen(function* () {
      const old = { minVersion: "TLSv1", maxVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" } as const
      const server = yield* RawServer.make(secured(mode, "server.pem", old))
      const error = yield* Effect.flip(send(definition(server, { tls }), { verify: false }))
      expect([error.reason, error.verdict]).toEqual(["Tls", "Configuration"])
      expect(error.detail).toBe(
        "while connecting: the mail server speaks no TLS from 1.2 on (ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION); mend the mail server"
      )
      nothingIn(server)
    })
  )

  it.scopedLive("whose certificate is sound gets login and mail inside TLS", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(secured(mode, "server.pem"))
      yield* send(definition(server, { tls }), { verify: true, ca })
      expect(server.logins).toEqual(["PLAIN"])
      expect(server.mails.map(({ secure }) => secure)).toEqual([true])
      expect(server.clear.join("")).toBe(mode === "Implicit" ? "" : "EHLO worker.example.org\r\nSTARTTLS\r\n")
    })
  )
})

describe("TLS from the first byte", () => {
  it.scopedLive("at a port where it begins later is refused in words, and nothing of OpenSSL's", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(secured("StartTls", "server.pem"))
      const error = yield* Effect.flip(send(definition(server, { tls: "Implicit" })))
      expect([error.reason, error.verdict]).toEqual(["Tls", "Configuration"])
      expect(error.detail).toBe(
        "while connecting: what answers there does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER); set port and TLS of this SMTP server so that they fit each other"
      )
    })
  )
})

describe("STARTTLS", () => {
  it.scopedLive("that was taken out of the server's reply is missed: nothing is sent", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions })
      const error = yield* Effect.flip(send(definition(server)))
      expect([error.reason, error.verdict]).toEqual(["Tls", "Configuration"])
      expect(error.detail).toContain("the mail server does no STARTTLS, but tls is set for this SMTP server")
      nothingIn(server)
    })
  )

  it.scopedLive("that was taken out where it is only used if offered keeps the password, and says what to write", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({ extensions })
      const wanted = definition(server, { tls: "Opportunistic" })
      const error = yield* Effect.flip(send(wanted, { allowPlaintextAuth: false }))
      expect([error.reason, error.verdict]).toEqual(["Authentication", "Configuration"])
      expect(error.detail).toContain(
        `EDUMFA_QUEUE_WORKER_SMTP = {'127.0.0.1:${server.port}': {'allow_plaintext_auth': True}}`
      )
      nothingIn(server)
    })
  )

  it.scopedLive.each([
    ["an EHLO reply", "250-mail.example.org\r\n250 AUTH LOGIN\r\n"],
    ["a reply", "250 ok\r\n"],
    ["half a line", "250-evil"],
    ["a line end", "\r\n"]
  ] as const)("heeds nothing of %s that follows its 220 in clear", ([, injected]) =>
    Effect.gen(function* () {
      const server = yield* RawServer.make(secured("StartTls", "server.pem", { injected }))
      yield* send(definition(server), { verify: true, ca })
      // PLAIN is what the server offers inside TLS, before LOGIN.
      expect(server.logins).toEqual(["PLAIN"])
      expect(server.mails.map(({ secure }) => secure)).toEqual([true])
      expect(server.clear.join("")).toBe("EHLO worker.example.org\r\nSTARTTLS\r\n")
    })
  )
})

describe("a server on this machine", () => {
  it.scopedLive.each(["expired.pem", "self-signed.pem", "elsewhere.pem"])(
    "needs no sound certificate: %s does without options",
    (certificate) =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(secured("StartTls", certificate))
        yield* send(definition(server))
        expect(server.mails.map(({ secure }) => secure)).toEqual([true])
      })
  )

  it.scopedLive.each([
    ["127.0.0.1", "an IPv4 address"],
    ["::1", "an IPv6 address"],
    ["localhost", "a name"],
    ["LOCALHOST", "a name in capitals"]
  ] as const)("is verified as %s, %s", ([host]) =>
    Effect.gen(function* () {
      const address = host === "::1" ? host : "127.0.0.1"
      const server = yield* RawServer.make({ ...secured("StartTls", "server.pem"), host: address })
      yield* send(definition(server, { host }), { verify: true, ca })
      expect(server.mails.map(({ secure }) => secure)).toEqual([true])
      // And only as itself.
      const other = yield* RawServer.make({ ...secured("StartTls", "elsewhere.pem"), host: address })
      const error = yield* Effect.flip(send(definition(other, { host }), { verify: true, ca }))
      expect([error.reason, error.verdict]).toEqual(["Tls", "Configuration"])
      nothingIn(other)
    })
  )
})
