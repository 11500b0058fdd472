import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { EncKey, EncKeyError } from "../../src/EdumfaConfig/EncKey.ts"
import type { ServerOptions } from "../../src/Mailer/ServerOptions.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { type Mail, Mailer, type SendOptions } from "../../src/Mailer.ts"
import type { SmtpServer } from "../../src/SmtpServer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as TestServer from "../services/SmtpServer.ts"

const mail: Mail = { recipient: "ada@example.org", subject: "Your code", body: "Code 736251\n" }
const options: SendOptions = {
  id: "0192f0c1-7b6e-7000-8000-000000000001",
  date: 1_800_000_000_000,
  stop: StopSignal.never
}

const ClearPasswords = Layer.succeed(EncKey, { decrypt: Effect.succeed })

const send = (
  server: SmtpServer,
  overrides: Partial<Mail> = {},
  sendOptions: Partial<SendOptions> = {},
  serverOptions: ServerOptions = {}
) =>
  Effect.flatMap(Mailer, (mailer) =>
    mailer.send(server, { ...mail, ...overrides }, { ...options, ...sendOptions })
  ).pipe(
    Effect.provide(
      Smtp.layerOptions({
        ehlo: "worker.example.org",
        servers: new Map([[`127.0.0.1:${server.port}`, serverOptions]])
      })
    ),
    Effect.provide(ClearPasswords)
  )

/** The failure of a mail as reason, verdict and detail. */
const failure = <A, E extends { readonly reason: string; readonly verdict: string; readonly detail: string }, R>(
  effect: Effect.Effect<A, E, R>
) => Effect.map(Effect.flip(effect), ({ detail, reason, verdict }) => ({ reason, verdict, detail }))

const everyone = { accepted: ["ada@example.org"], refused: [] }

describe("a mail that is delivered", () => {
  it.scopedLive("over a plain connection, with the headers that eduMFA sets", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      expect(yield* send(server.definition)).toEqual(everyone)
      const [received] = yield* server.take(1)
      expect(received?.from).toBe("mfa@example.org")
      expect(received?.recipients).toEqual(["ada@example.org"])
      expect(received?.headers).toEqual([
        ["precedence", "bulk"],
        ["auto-submitted", "auto-generated"],
        ["from", "eduMFA <mfa@example.org>"],
        ["to", "ada@example.org"],
        ["reply-to", "eduMFA <mfa@example.org>"],
        ["subject", "Your code"],
        ["message-id", "<0192f0c1-7b6e-7000-8000-000000000001@example.org>"],
        ["date", "Fri, 15 Jan 2027 08:00:00 +0000"],
        ["content-transfer-encoding", "7bit"],
        ["mime-version", "1.0"],
        ["content-type", "text/plain; charset=utf-8"]
      ])
      expect(received?.text).toBe("Code 736251\r\n")
      expect(received?.secure).toBe(false)
      expect(received?.ehlo).toBe("worker.example.org")
    })
  )

  it.scopedLive("with STARTTLS and a login", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls: "StartTls", auth: "Required" })
      expect(yield* send(server.authenticated)).toEqual(everyone)
      const [received] = yield* server.take(1)
      expect(received?.secure).toBe(true)
      expect(received?.mechanism).toBe("PLAIN")
    })
  )

  it.scopedLive("with TLS from the first byte, and AUTH LOGIN where PLAIN is not offered", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls: "Implicit", auth: "Required", mechanisms: ["LOGIN"] })
      expect(yield* send(server.authenticated)).toEqual(everyone)
      const [received] = yield* server.take(1)
      expect(received?.secure).toBe(true)
      expect(received?.mechanism).toBe("LOGIN")
    })
  )

  it.scopedLive("with TLS where it is offered and a password needs it, without where nothing does", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls: "StartTls" })
      yield* send({ ...server.definition, tls: "Opportunistic" })
      const [plain] = yield* server.take(1)
      expect(plain?.secure).toBe(false)
      const withLogin = yield* TestServer.make({ tls: "StartTls", auth: "Required" })
      yield* send({ ...withLogin.authenticated, tls: "Opportunistic" })
      const [secured] = yield* withLogin.take(1)
      expect(secured?.secure).toBe(true)
    })
  )

  it.scopedLive("with CRAM-MD5 first: no password travels, so it needs no TLS", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ auth: "Required", mechanisms: ["PLAIN", "LOGIN", "CRAM-MD5"] })
      expect(yield* send(server.authenticated)).toEqual(everyone)
      expect(yield* send(server.authenticated, {}, {}, { allowPlaintextAuth: false })).toEqual(everyone)
      const received = yield* server.take(2)
      expect(received.map(({ mechanism }) => mechanism)).toEqual(["CRAM-MD5", "CRAM-MD5"])
    })
  )

  it.scopedLive("with PLAIN where CRAM-MD5 is offered and refused", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({
        auth: "Required",
        mechanisms: ["PLAIN", "CRAM-MD5"],
        brokenMechanism: "CRAM-MD5"
      })
      expect(yield* send(server.authenticated)).toEqual(everyone)
      const [received] = yield* server.take(1)
      expect(received?.mechanism).toBe("PLAIN")
      // Without TLS the password stays here, and the refusal of CRAM-MD5 is what is told.
      const { reason, verdict } = yield* failure(send(server.authenticated, {}, {}, { allowPlaintextAuth: false }))
      expect([reason, verdict]).toEqual(["Authentication", "Configuration"])
    })
  )

  it.scopedLive("with text outside ASCII in subject, body and names", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      const body = "Grüße, Ihr Code: 736251 – gültig 2 Minuten ✓\n"
      yield* send(server.definition, {
        subject: "Ihr Bestätigungscode für das Rechenzentrum der Universität – bitte nicht weitergeben ✓",
        body,
        sender: "Prüfstelle <mfa@example.org>",
        recipient: "Ada Łovelace <ada@bücher.example>"
      })
      const [received] = yield* server.take(1)
      const headers = new Map(received?.headers)
      expect(yield* server.asked).toEqual(["mfa@example.org", "ada@xn--bcher-kva.example"])
      expect(headers.get("subject")).toBe(
        "Ihr Bestätigungscode für das Rechenzentrum der Universität – bitte nicht weitergeben ✓"
      )
      expect(headers.get("from")).toBe("Prüfstelle <mfa@example.org>")
      expect(headers.get("to")).toBe("Ada Łovelace <ada@xn--bcher-kva.example>")
      expect(headers.get("content-type")).toBe("text/plain; charset=utf-8")
      expect(received?.text).toBe("Grüße, Ihr Code: 736251 – gültig 2 Minuten ✓\r\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: nothing but ASCII may be on the wire
      expect(received?.raw).toMatch(/^[\x00-\x7f]*$/)
    })
  )

  it.scopedLive("as HTML", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      yield* send(server.definition, { mimetype: "html", body: "<p>Code <b>736251</b></p>" })
      const [received] = yield* server.take(1)
      expect(new Map(received?.headers).get("content-type")).toBe("text/html; charset=utf-8")
      expect(received?.text).toBe("<p>Code <b>736251</b></p>\r\n")
    })
  )

  it.scopedLive("with lines of dots and an empty body as they are", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      yield* send(server.definition, { body: ".\n..\n.x\r\n.\r\nQUIT\n" })
      yield* send(server.definition, { body: "", subject: "" })
      const [dots, empty] = yield* server.take(2)
      expect(dots?.text).toBe(".\r\n..\r\n.x\r\n.\r\nQUIT\r\n")
      expect(empty?.text.trim()).toBe("")
    })
  )

  it.scopedLive("from nobody where there is no sender", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      const { sender: _, ...definition } = server.definition
      yield* send(definition, { sender: "" })
      const [received] = yield* server.take(1)
      const headers = new Map(received?.headers)
      expect(received?.from).toBe("")
      expect(headers.get("from")).toBe("edumfa@worker.example.org")
      expect(headers.get("reply-to")).toBe(undefined)
      expect(headers.get("message-id")).toBe("<0192f0c1-7b6e-7000-8000-000000000001@worker.example.org>")
    })
  )

  it.scopedLive("byte for byte the same at every attempt", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      yield* send(server.definition)
      yield* send(server.definition)
      const [first, second] = yield* server.take(2)
      expect(second?.raw).toBe(first?.raw)
      expect(first?.raw).toContain("Message-ID: <0192f0c1-7b6e-7000-8000-000000000001@example.org>\r\n")
    })
  )

  it.scopedLive("to recipients outside ASCII only where the server knows SMTPUTF8", () =>
    Effect.gen(function* () {
      const recipient = ["jürgen@example.org", "ada@example.org"]
      const able = yield* TestServer.make()
      expect(yield* send(able.definition, { recipient })).toEqual({ accepted: recipient, refused: [] })
      const [received] = yield* able.take(1)
      expect(received?.recipients).toEqual(recipient)
      const unable = yield* TestServer.make({ hideSmtpUtf8: true })
      expect(yield* send(unable.definition, { recipient })).toEqual({
        accepted: ["ada@example.org"],
        refused: [
          { recipient: "jürgen@example.org", verdict: "Permanent", reason: "the mail server does not offer SMTPUTF8" }
        ]
      })
    })
  )
})

describe("recipients", () => {
  const recipients = {
    "busy@example.org": { code: 450, text: "4.2.1 try later" },
    "gone@example.org": { code: 550, text: "5.1.1 <gone@example.org> unknown, 736251" },
    "lots@example.org": { code: 552, text: "5.5.3 too many recipients" }
  }

  it.scopedLive("are told apart: some have the mail, some are refused for now, some for good, some by us", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ recipients })
      const delivery = yield* send(server.definition, {
        recipient: [
          "Ada <ada@example.org>",
          "busy@example.org, gone@example.org",
          "bad\r\nBcc: evil@example.org",
          "lots@example.org"
        ]
      })
      expect(delivery).toEqual({
        accepted: ["Ada <ada@example.org>"],
        refused: [
          {
            recipient: "bad\r\nBcc: evil@example.org",
            verdict: "Permanent",
            reason: "not an acceptable address: control character"
          },
          { recipient: "busy@example.org", verdict: "Transient", code: 450, reason: "450 4.2.1 try later" },
          {
            recipient: "gone@example.org",
            verdict: "Permanent",
            code: 550,
            reason: "550 5.1.1 <[address]> unknown, [removed]"
          },
          { recipient: "lots@example.org", verdict: "Transient", code: 552, reason: "552 5.5.3 too many recipients" }
        ]
      })
      const [received] = yield* server.take(1)
      expect(received?.recipients).toEqual(["ada@example.org"])
    })
  )

  it.scopedLive("that are all refused are a delivery to nobody", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ recipients })
      const delivery = yield* send(server.definition, { recipient: ["gone@example.org", "busy@example.org"] })
      expect(delivery.accepted).toEqual([])
      expect(delivery.refused.map(({ code, verdict }) => [code, verdict])).toEqual([
        [550, "Permanent"],
        [450, "Transient"]
      ])
      expect(yield* server.size).toBe(0)
    })
  )

  it.scopedLive("are none: no connection is made", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      for (const recipient of ["", [], [" ", "\r\n"]]) {
        expect(yield* failure(send(server.definition, { recipient }))).toEqual({
          reason: "NoRecipient",
          verdict: "Permanent",
          detail: "no recipient"
        })
      }
      expect(yield* failure(send(server.definition, { recipient: "team: evil@example.org, x@example.org;" }))).toEqual({
        reason: "NoRecipient",
        verdict: "Permanent",
        detail: "no recipient, not an acceptable address: group syntax"
      })
      expect(yield* server.connections).toBe(0)
    })
  )

  it.scopedLive("are never added by what a job holds", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make()
      const evil = "evil@example.org"
      const strings = [
        `ok@example.org\r\nBcc: ${evil}`,
        `ok@example.org\nRCPT TO:<${evil}>`,
        `ok@example.org>\u0000 <${evil}>`,
        `ok@example.org> RCPT TO:<${evil}`,
        `team: ${evil};`,
        `<ok@example.org> <${evil}>`,
        `"ok@example.org <${evil}`,
        `ok@example.org (${evil}`,
        `ok@${evil}`,
        `"ok@example.org"@${evil}@example.org`
      ]
      const delivery = yield* send(server.definition, {
        recipient: [...strings, "ada@example.org"],
        replyTo: `r@example.org\r\nBcc: ${evil}`
      })
      expect(delivery.accepted).toEqual(["ada@example.org"])
      expect(delivery.refused.map(({ recipient }) => recipient)).toEqual(strings)
      for (const subject of [`Code\nBcc: ${evil}`, `Code\r\nBcc:${evil}`, `Code\u2028Bcc: ${evil}`, "Code\n\nBcc: x"]) {
        expect((yield* failure(send(server.definition, { subject }))).detail).toBe(
          "subject: a line break is followed by what looks like a header"
        )
      }
      for (const sender of [`mfa@example.org\r\nBcc: ${evil}`, `mfa@example.org>\nRCPT TO:<${evil}`]) {
        expect((yield* failure(send(server.definition, { sender }))).detail).toBe("sender: control character")
      }
      const [received, ...others] = yield* server.take(1)
      expect(others).toEqual([])
      expect(received?.recipients).toEqual(["ada@example.org"])
      expect(received?.raw).not.toContain("evil")
      expect(new Map(received?.headers).has("reply-to")).toBe(false)
      expect(yield* server.size).toBe(0)
    })
  )
})

describe("a mail that is not accepted", () => {
  it.effect("for its size or the number of its recipients fails before any connection", () =>
    Effect.gen(function* () {
      const nowhere: SmtpServer = {
        identifier: "nowhere",
        host: "127.0.0.1",
        port: 1,
        tls: "Opportunistic",
        timeout: 1000,
        enqueueJob: true
      }
      expect(yield* failure(send(nowhere, { body: "x".repeat(10 * 1024 * 1024 + 1) }))).toEqual({
        reason: "InvalidMail",
        verdict: "Permanent",
        detail: "body: more than 10485760 octets"
      })
      const recipient = Array.from({ length: 101 }, (_, index) => `u${index}@example.org`)
      expect(yield* failure(send(nowhere, { recipient }))).toEqual({
        reason: "InvalidMail",
        verdict: "Permanent",
        detail: "more than 100 recipients"
      })
    })
  )

  it.scopedLive.each([
    ["refused for now", { code: 451, text: "4.3.0 try later" }, "Refused", "Transient", "451 4.3.0 try later"],
    ["refused for good", { code: 554, text: "5.6.0 spam 736251" }, "Refused", "Permanent", "554 5.6.0 spam [removed]"],
    ["answered by a closing server", { code: 421, text: "4.3.2 bye" }, "ConnectionLost", "Transient", "421 4.3.2 bye"]
  ] as const)("after its final dot, %s", ([, reply, reason, verdict, words]) =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ subjects: { "Your code": reply } })
      expect(yield* failure(send(server.definition))).toEqual({
        reason,
        verdict,
        detail: `after the message: ${words}`
      })
    })
  )

  it.scopedLive("after its final dot, by a connection that ends: nobody knows", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ subjects: { "Your code": "Cut" } })
      const { reason, verdict } = yield* failure(send(server.definition))
      expect([reason, verdict]).toEqual(["ConnectionLost", "Unknown"])
    })
  )

  it.scopedLive.each([
    ["at MAIL for good", { sender: { code: 553, text: "5.1.8 no" } }, "Refused", "Permanent"],
    ["at MAIL for now", { sender: { code: 452, text: "4.3.1 full" } }, "Refused", "Transient"],
    ["at MAIL without a login", { sender: { code: 530, text: "5.7.0 login" } }, "Authentication", "Configuration"],
    ["at MAIL out of sequence", { sender: { code: 503, text: "5.5.1 sequence" } }, "Refused", "Transient"],
    ["by the greeting", { greeting: { code: 554, text: "5.3.2 not now" } }, "Protocol", "Transient"],
    ["by a connection that ends at RCPT", { recipients: { "ada@example.org": "Cut" } }, "ConnectionLost", "Transient"]
  ] as const)("%s", ([, script, reason, verdict]) =>
    Effect.gen(function* () {
      const server = yield* TestServer.make(script)
      const failed = yield* failure(send(server.definition))
      expect([failed.reason, failed.verdict]).toEqual([reason, verdict])
    })
  )

  it.scopedLive("by a server that does not answer in time", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ recipients: { "ada@example.org": "Hang" } })
      const failed = yield* failure(send({ ...server.definition, timeout: 300 }))
      expect(failed).toEqual({
        reason: "Timeout",
        verdict: "Transient",
        detail: "before the message: ETIMEDOUT Timeout"
      })
    })
  )

  it.live("where nobody listens", () =>
    Effect.gen(function* () {
      const { definition } = yield* Effect.scoped(TestServer.make())
      const failed = yield* failure(send(definition))
      expect(failed).toEqual({
        reason: "Connect",
        verdict: "Transient",
        detail: `while connecting: ECONNREFUSED connect ECONNREFUSED 127.0.0.1:${definition.port}`
      })
    })
  )
})

describe("a login", () => {
  it.scopedLive("with the wrong password is a configuration fault, and the password is not told", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls: "StartTls", auth: "Required" })
      const wrong = { ...server.authenticated, password: Redacted.make("hunter-two") }
      const error = yield* Effect.flip(send(wrong))
      expect(error.message).toBe("Authentication: at login: 535 5.7.8")
      expect(error.verdict).toBe("Configuration")
      expect(String(error.cause)).not.toContain("hunter-two")
    })
  )

  it.scopedLive("where none is offered is a configuration fault", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls: "StartTls" })
      expect(yield* failure(send(server.authenticated))).toEqual({
        reason: "Authentication",
        verdict: "Configuration",
        detail: "at login: a user name is set, and the mail server offers no AUTH"
      })
      expect(yield* server.size).toBe(0)
    })
  )

  it.scopedLive("is not made without TLS, and the refusal says what to write", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ auth: "Required" })
      expect(yield* failure(send(server.authenticated, {}, {}, { allowPlaintextAuth: false }))).toEqual({
        reason: "Authentication",
        verdict: "Configuration",
        detail:
          "at login: the password is not sent without TLS; ask for TLS in the definition of this SMTP server, or write " +
          `EDUMFA_QUEUE_WORKER_SMTP = {'127.0.0.1:${server.port}': {'allow_plaintext_auth': True}} to the configuration file`
      })
      expect(yield* send(server.authenticated)).toEqual(everyone)
    })
  )

  it.scopedLive("whose password cannot be decrypted is a configuration fault, without a connection", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls: "StartTls", auth: "Required" })
      const locked = Layer.succeed(EncKey, {
        decrypt: () => Effect.fail(new EncKeyError({ reason: "NotFound", detail: "no key file" }))
      })
      const sending = Effect.flatMap(Mailer, (mailer) => mailer.send(server.authenticated, mail, options))
      expect(yield* failure(sending.pipe(Effect.provide(Smtp.layer), Effect.provide(locked)))).toEqual({
        reason: "Password",
        verdict: "Configuration",
        detail: "no key file"
      })
      const { password: _, ...withoutPassword } = server.authenticated
      expect((yield* failure(send(withoutPassword))).detail).toBe("a user name is set without a password")
      expect(yield* server.connections).toBe(0)
    })
  )
})

describe("TLS", () => {
  it.scopedLive.each(["StartTls", "Implicit"] as const)("%s: a certificate nobody signed is refused", (tls) =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ tls, auth: "Required" })
      expect(yield* failure(send(server.authenticated, {}, {}, { verify: true }))).toEqual({
        reason: "Tls",
        verdict: "Configuration",
        detail:
          "while connecting: the certificate is signed by nobody but itself (DEPTH_ZERO_SELF_SIGNED_CERT); write " +
          `EDUMFA_QUEUE_WORKER_SMTP = {'127.0.0.1:${server.port}': {'ca': '/path.pem'}} to the configuration file, ` +
          "with that certificate in that file, or 'verify': False in place of it to trust any"
      })
      expect(yield* send(server.authenticated, {}, {}, { verify: true, ca: TestServer.certificate })).toEqual(everyone)
      // On loopback nothing is verified unless it is asked for.
      expect(yield* send(server.authenticated)).toEqual(everyone)
    })
  )

  it.scopedLive("that is asked for and not offered is a configuration fault, and nothing is sent", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ auth: "Required" })
      const failed = yield* failure(send({ ...server.authenticated, tls: "StartTls" }))
      expect(failed).toEqual({
        reason: "Tls",
        verdict: "Configuration",
        detail:
          "while connecting: 500 Error: command not recognized; " +
          "the mail server does no STARTTLS, but tls is set for this SMTP server"
      })
      expect(yield* server.size).toBe(0)
    })
  )
})

describe("a stop signal", () => {
  it.scopedLive("before the final dot ends the mail", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ recipients: { "ada@example.org": "Hang" } })
      const stop = StopSignal.unsafeMake()
      const sending = yield* Effect.fork(failure(send(server.definition, {}, { stop })))
      const held = yield* server.held
      yield* StopSignal.stop(stop, "Drain")
      expect(yield* Fiber.join(sending)).toEqual({
        reason: "Stopped",
        verdict: "Transient",
        detail: "stopped before the final dot: Drain"
      })
      yield* held.release
      expect(yield* server.size).toBe(0)
    })
  )

  it.scopedLive("after the final dot waits for the reply and returns it", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ subjects: { "Your code": "Hang" } })
      const stop = StopSignal.unsafeMake()
      const sending = yield* Effect.fork(send({ ...server.definition, timeout: 200 }, {}, { stop }))
      const held = yield* server.held
      yield* StopSignal.stop(stop, "Deadline")
      // Longer than a reply before the dot may take.
      yield* Effect.sleep("600 millis")
      expect(yield* Fiber.status(sending).pipe(Effect.map((status) => status._tag))).toBe("Suspended")
      yield* held.release
      expect(yield* Fiber.join(sending)).toEqual(everyone)
    })
  )

  it.scopedLive("is the only way to end a mail: interruption waits for the reply", () =>
    Effect.gen(function* () {
      const server = yield* TestServer.make({ subjects: { "Your code": "Hang" } })
      const ended: Array<unknown> = []
      const sending = yield* send(server.definition).pipe(
        Effect.tap((delivery) => Effect.sync(() => ended.push(delivery))),
        Effect.uninterruptible,
        Effect.fork
      )
      const held = yield* server.held
      const interrupting = yield* Effect.fork(Fiber.interrupt(sending))
      yield* Effect.yieldNow()
      expect(ended).toEqual([])
      yield* held.release
      yield* Fiber.join(interrupting)
      expect(ended).toEqual([everyone])
    })
  )
})
