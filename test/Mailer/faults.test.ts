/**
 * Thirteen stages of a session, ten things that go wrong at each: every mail comes to the outcome that is right for it.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { EncKey } from "../../src/EdumfaConfig/EncKey.ts"
import * as Circuit from "../../src/Mailer/Breaker/Circuit.ts"
import * as Smtp from "../../src/Mailer/Smtp.ts"
import { type Mail, Mailer } from "../../src/Mailer.ts"
import * as StopSignal from "../../src/StopSignal.ts"
import * as Scripted from "../services/ScriptedSmtp.ts"

/** Milliseconds for each reply: few where one is waited for in vain, else more than a busy machine may need. */
const patience = (fault: string) => (fault === "hang" ? 1_000 : 10_000)

/** An attempt has time for twelve replies as late as they may be, and after the dot for one more. */
const deadline = 13 * patience("hang")

/** More than the buffers between a client and a server that does not read. */
const largeBody = `${"x".repeat(76)}\r\n`.repeat(120_000)

/** Some pieces for a server that reads by and by. */
const smallBody = largeBody.slice(0, 300_000)

/** `for now` and `for good`: the recipient is told to be refused. */
type Outcome =
  | "delivered"
  | "for now"
  | "for good"
  | `${string} ${"Transient" | "Permanent" | "Configuration" | "Unknown"}`

/**
 * What becomes of the mail, by research and RFC 5321: 3.8 (421, and a connection that ends before the reply to the dot:
 * as 451), 4.2.1 (4yz for now, 5yz for good), 3.1 and 4.2.1 (a refused session says nothing about the mail), 4.5.3.2.6
 * and 6.1 (nobody knows after the dot); RFC 3207 4 (STARTTLS); RFC 4954 6 (AUTH).
 *
 * Before anything can be said there is no reply: at `connect` the server says the same as in its greeting, and `RST` is
 * a connection reset at once. In the handshake all words are in clear, where OpenSSL expects a record. In the body no
 * reply is due; the good way to `trickle` there is to read on by and by. RSET and QUIT are about no mail: RSET is on the
 * way of the next mail, which has to be delivered whatever happens there.
 */
const expected: Readonly<Record<Scripted.Stage, Readonly<Record<(typeof Scripted.faults)[number], Outcome>>>> = {
  connect: {
    "4yz": "Protocol Transient",
    "5yz": "Protocol Transient",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "Connect Transient",
    RST: "Connect Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  greeting: {
    "4yz": "Protocol Transient",
    "5yz": "Protocol Transient",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "Connect Transient",
    RST: "Connect Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  EHLO: {
    "4yz": "Protocol Transient",
    "5yz": "Protocol Transient",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "Connect Transient",
    RST: "Connect Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  STARTTLS: {
    "4yz": "Tls Transient",
    "5yz": "Tls Configuration",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "Connect Transient",
    RST: "Connect Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  "TLS handshake": {
    "4yz": "Tls Configuration",
    "5yz": "Tls Configuration",
    "421": "Tls Configuration",
    hang: "Timeout Transient",
    FIN: "Connect Transient",
    RST: "Connect Transient",
    garbage: "Tls Configuration",
    trickle: "delivered",
    "64 KiB": "Tls Configuration",
    endless: "Tls Configuration"
  },
  AUTH: {
    "4yz": "Authentication Transient",
    "5yz": "Authentication Configuration",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "ConnectionLost Transient",
    RST: "ConnectionLost Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  MAIL: {
    "4yz": "Refused Transient",
    "5yz": "Refused Permanent",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "ConnectionLost Transient",
    RST: "ConnectionLost Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  RCPT: {
    "4yz": "for now",
    "5yz": "for good",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "ConnectionLost Transient",
    RST: "ConnectionLost Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  DATA: {
    "4yz": "Refused Transient",
    "5yz": "Refused Permanent",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "ConnectionLost Transient",
    RST: "ConnectionLost Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  body: {
    "4yz": "Refused Transient",
    "5yz": "Refused Permanent",
    "421": "ConnectionLost Transient",
    hang: "Timeout Transient",
    FIN: "ConnectionLost Transient",
    RST: "ConnectionLost Transient",
    garbage: "Protocol Transient",
    trickle: "delivered",
    "64 KiB": "Protocol Transient",
    endless: "Protocol Transient"
  },
  dot: {
    "4yz": "Refused Transient",
    "5yz": "Refused Permanent",
    "421": "ConnectionLost Transient",
    hang: "Timeout Unknown",
    FIN: "ConnectionLost Unknown",
    RST: "ConnectionLost Unknown",
    garbage: "Protocol Unknown",
    trickle: "delivered",
    "64 KiB": "Protocol Unknown",
    endless: "Protocol Unknown"
  },
  RSET: {
    "4yz": "delivered",
    "5yz": "delivered",
    "421": "delivered",
    hang: "delivered",
    FIN: "delivered",
    RST: "delivered",
    garbage: "delivered",
    trickle: "delivered",
    "64 KiB": "delivered",
    endless: "delivered"
  },
  QUIT: {
    "4yz": "delivered",
    "5yz": "delivered",
    "421": "delivered",
    hang: "delivered",
    FIN: "delivered",
    RST: "delivered",
    garbage: "delivered",
    trickle: "delivered",
    "64 KiB": "delivered",
    endless: "delivered"
  }
}

const mail: Mail = { recipient: "ada@example.org", subject: "Your code", body: "Code 736251\n" }

/** A mailer with a scope of its own. */
const mailer = Effect.fnUntraced(function* (timeout: number) {
  const scope = yield* Scope.make()
  // A breaker that a fault opens lets the next attempt through at once.
  const rules = { ...Circuit.standard, intervals: { Configuration: [1], Silence: [1] } }
  const options = { ehlo: "client.example.org", dotTimeout: timeout, breaker: { rules } }
  const layer = Smtp.layerOptions(options).pipe(Layer.provide(Layer.succeed(EncKey, { decrypt: Effect.succeed })))
  const { send } = Context.get(yield* Layer.buildWithScope(layer, scope), Mailer)
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  return {
    close: Scope.close(scope, Exit.void),
    /** The outcome of a mail, within the deadline of an attempt. */
    send: (server: Scripted.ScriptedSmtp, more: Partial<Mail> = {}): Effect.Effect<string, Error> =>
      send({ ...server.definition, timeout }, { ...mail, ...more }, { id: "id", date: 0, stop: StopSignal.never }).pipe(
        Effect.match({
          onFailure: ({ reason, verdict }) => `${reason} ${verdict}`,
          onSuccess: ({ refused: [first] }) =>
            first === undefined ? "delivered" : first.verdict === "Transient" ? "for now" : "for good"
        }),
        Effect.timeoutFail({ duration: deadline, onTimeout: () => new Error("no outcome within the deadline") })
      )
  }
})

const eventually = (holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error("never came true")))).pipe(
    Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds")))
  )

const cases = Scripted.stages.flatMap((stage) => Scripted.faults.map((fault) => [stage, fault] as const))

const kept = (server: Scripted.ScriptedSmtp) => server.mails().filter((each) => each.kept).length

describe.concurrent("a mail whose server goes wrong comes to the right outcome", () => {
  it("in 130 cases", () => {
    expect(cases).toHaveLength(130)
  })

  it.scopedLive.each(cases)("at %s: %s", ([stage, fault]) =>
    Effect.gen(function* () {
      const server = yield* Scripted.make({
        stage,
        fault,
        recipient: (address) => (address.startsWith("gone") ? "550 5.1.1 no such mailbox" : undefined)
      })
      const { close, send } = yield* mailer(patience(fault))
      // RSET comes before the mail that follows a refused one.
      if (stage === "RSET") expect(yield* send(server, { recipient: "gone@example.org" })).toBe("for good")
      const outcome = yield* send(server, stage === "body" ? { body: fault === "trickle" ? smallBody : largeBody } : {})
      expect(outcome).toBe(expected[stage][fault])
      if (stage !== "QUIT") yield* server.reached
      // What was no part of the outcome did not happen: no second connection, no second login, no dot too early.
      const another = stage === "RSET" && fault !== "trickle" ? 1 : 0
      expect(server.connections()).toBe(1 + another)
      expect(server.auths()).toBeLessThanOrEqual(1 + another)
      const isSent = outcome === "delivered" || stage === "dot"
      expect(server.mails()).toHaveLength(isSent ? 1 : 0)

      // Another attempt where that is what the outcome asks for: only an unknown one may double the mail.
      if (outcome === "for now" || /Transient|Configuration|Unknown/.test(outcome)) {
        const again = yield* send(server).pipe(
          Effect.filterOrFail(
            (it) => it !== "BreakerOpen Postponed",
            () => new Error("the breaker stays open")
          ),
          Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo("5 seconds")))
        )
        expect(again).toBe("delivered")
        expect(kept(server)).toBe(outcome.endsWith("Unknown") ? 2 : 1)
      } else {
        expect(kept(server)).toBe(outcome === "delivered" ? 1 : 0)
      }
      // Nothing is left, not even where the server does not let us go.
      yield* close
      if (stage === "QUIT") yield* server.reached
      else yield* server.release
      yield* eventually(() => server.open() === 0)
    })
  )
})

describe.concurrent("a reply that is easily taken amiss", () => {
  // RFC 5321 4.3.2: 354 alone invites the message. 4.2.1: all lines of a reply have one code. 4.2: a code is three digits.
  it.scopedLive.each([
    ["MAIL", "250-ok\r\n550 no", "Protocol Transient", 0],
    ["RCPT", "250-ok\r\n550 no", "Protocol Transient", 0],
    ["RCPT", "2500 ok", "Protocol Transient", 0],
    ["RCPT", "530 5.7.0 login first", "for now", 0],
    ["RCPT", "552 5.5.3 too many", "for now", 0],
    ["RCPT", "354 go ahead", "for now", 0],
    ["MAIL", "530 5.7.0 login first", "Authentication Configuration", 0],
    ["MAIL", "503 5.5.1 not now", "Refused Transient", 0],
    ["DATA", "250 ok", "Protocol Transient", 0],
    ["DATA", "354-go\r\n250 ok", "Protocol Transient", 0],
    ["DATA", "503 5.5.1 not now", "Refused Transient", 0],
    ["body", "250 2.0.0 queued already", "Protocol Transient", 0],
    ["dot", "250-ok\r\n451 no", "Protocol Unknown", 1],
    ["dot", "354 go ahead", "Protocol Unknown", 1],
    ["dot", "250", "delivered", 1],
    ["dot", "250-2.0.0 queued\r\n250 2.0.0 as 1", "delivered", 1],
    ["AUTH", "235-welcome\r\n535 no", "Protocol Transient", 0],
    ["EHLO", "250-mail.example.org\r\n251 STARTTLS", "Protocol Transient", 0],
    ["greeting", "250 hello", "Protocol Transient", 0]
  ] as const)("at %s: %j", ([stage, reply, outcome, dots]) =>
    Effect.gen(function* () {
      for (const pipelining of [false, true]) {
        const server = yield* Scripted.make({ stage, fault: { reply }, pipelining })
        const { send } = yield* mailer(patience(""))
        expect(yield* send(server, stage === "body" ? { body: largeBody } : {})).toBe(outcome)
        expect(server.mails()).toHaveLength(dots)
        expect(server.connections()).toBe(1)
      }
    })
  )

  it.scopedLive.each([
    ["EHLO", "Timeout Transient"],
    ["AUTH", "Timeout Transient"],
    ["MAIL", "Timeout Transient"],
    ["body", "Timeout Transient"],
    ["dot", "Timeout Unknown"]
  ] as const)("at %s goes on line by line for ever: the attempt ends by its deadline", ([stage, outcome]) =>
    Effect.gen(function* () {
      const server = yield* Scripted.make({ stage, fault: { every: 50 } })
      const { close, send } = yield* mailer(300)
      expect(yield* send(server, stage === "body" ? { body: largeBody } : {})).toBe(outcome)
      expect(server.mails()).toHaveLength(stage === "dot" ? 1 : 0)
      yield* close
      yield* eventually(() => server.open() === 0)
    })
  )
})
