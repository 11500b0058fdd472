/**
 * A real mail server on 127.0.0.1 that refuses every login until it is told otherwise, and counts them.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import { SMTPServer } from "smtp-server"
import type { SmtpServer } from "../../src/SmtpServer.ts"

/** Starts one. */
export const make = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const refusals = yield* Queue.unbounded<number>()
  const mails = yield* Queue.unbounded<string>()
  let isRight = false
  let logins = 0
  const server = new SMTPServer({
    name: "mail.example.org",
    authMethods: ["PLAIN"],
    allowInsecureAuth: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    closeTimeout: 1,
    onAuth: ({ method }, _session, callback) => {
      logins++
      if (isRight) return callback(null, { user: method })
      refusals.unsafeOffer(clock.unsafeCurrentTimeMillis())
      callback(Object.assign(new Error("5.7.8 authentication failed"), { responseCode: 535 }))
    },
    onData: (stream, session, callback) => {
      stream.resume()
      stream.on("end", () => {
        const { rcptTo } = session.envelope
        for (const { address } of rcptTo) mails.unsafeOffer(address)
        callback()
      })
    }
  })
  server.on("error", () => {})
  const port = yield* Effect.acquireRelease(
    Effect.async<number>((resume) => {
      const listener = server.listen(0, "127.0.0.1", () => {
        const address = listener.address()
        resume(
          address !== null && typeof address === "object"
            ? Effect.succeed(address.port)
            : Effect.dieMessage("the mail server has no port")
        )
      })
    }),
    () => Effect.async<void>((resume) => server.close(() => resume(Effect.void)))
  )
  const definition: SmtpServer = {
    identifier: "login",
    host: "127.0.0.1",
    port,
    tls: "Opportunistic",
    username: "mfa",
    password: Redacted.make("mail-password"),
    sender: "mfa@example.org",
    timeout: 5_000,
    enqueueJob: true
  }
  return {
    definition,
    /** Waits for the next refused login; when it was, milliseconds. */
    refusal: Queue.take(refusals),
    /** Refused logins that were not waited for. */
    refused: refusals.size,
    /** Logins so far. */
    logins: Effect.sync(() => logins),
    /** From now on the password is right. */
    accept: Effect.sync(() => {
      isRight = true
    }),
    /** Waits for so many mails; to whom they are. */
    take: (count: number) => Effect.map(Queue.takeN(mails, count), (taken) => [...taken])
  }
})
