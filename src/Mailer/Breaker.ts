/**
 * Keeps mails from SMTP servers that do not answer, and from logins that are refused: a breaker for each, and half of the
 * slots at most for a server that is silent.
 */
import { scrypt } from "node:crypto"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Bounded from "../Bounded.ts"
import * as Decided from "../Decided.ts"
import { MailerError, type MailerReason } from "../Mailer.ts"
import * as Memo from "../Memo.ts"
import * as Monotonic from "../Monotonic.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import { BreakerStore, maxStates } from "./Breaker/BreakerStore.ts"
import * as Circuit from "./Breaker/Circuit.ts"
import * as Circuits from "./Breaker/Circuits.ts"
import * as Places from "./Breaker/Places.ts"
import { fingerprint } from "./credentials.ts"
import type { Credentials } from "./login.ts"
import { key } from "./ServerOptions.ts"

export interface Options {
  /** Jobs at once of the worker that this mailer is for. Default 8. */
  readonly slots?: number
  /**
   * Whether mails that cannot be sent now come again by a queue. Then a server gets half of the slots until it has
   * answered, lest one that never does gets all of them. Default false: a mail that is sent directly would fail.
   */
  readonly queued?: boolean
  /** Default: `Circuit.standard`. */
  readonly rules?: Circuit.Rules
}

export interface Breaker {
  /** Opens a connection and logs in, unless the server or this login is known to fail; reports what comes of it. */
  readonly admit: <A, R>(
    server: SmtpServer,
    credentials: Credentials | undefined,
    open: Effect.Effect<A, MailerError, R>
  ) => Effect.Effect<A, MailerError, R>
  /** Sends a mail, over an open connection or a new one; reports whether the server answered. */
  readonly guard: <A>(
    server: SmtpServer,
    /** Hands out what gives the mail up, as long as it is not sent. */
    send: (begun: (giveUp: (error: MailerError) => void) => void) => Effect.Effect<A, MailerError>,
    /** Whether this mail's failure is to be reported: what became of a connection was, where it was opened. */
    isOurs: () => boolean,
    /** What is to be done once the breaker is open, where by this answer the server denies everybody. Default: it does not. */
    afterDenial?: (answer: A) => Effect.Effect<void> | undefined
  ) => Effect.Effect<A, MailerError>
}

/** As the worker's own. */
const defaultSlots = 8

/** A probe has so many time-outs of its server to report, and no more than a minute: others wait for it. */
const probeTimeouts = 3
const maxProbe = 60_000

/** Hexadecimal digits of a password's digest: enough to tell a mistyped one from the right one, useless to guess it. */
const digestDigits = 4

/** What is in the store is worth no attack: a slow digest, salted, of which next to nothing is kept. */
const digest = (server: SmtpServer, { password, username }: Credentials): Effect.Effect<string> =>
  Effect.async((resume) => {
    scrypt(Redacted.value(password), `${key(server)} ${username}`, 16, (error, bytes) =>
      resume(error === null ? Effect.succeed(bytes.toString("hex").slice(0, digestDigits)) : Effect.die(error))
    )
  })

/** By the way of TLS too: a wrong one, tried in a form, must not stop everybody's mails. */
export const connectBreaker = Memo.of(
  (server: SmtpServer): Circuits.Breaker => ({
    name: `connect ${key(server)} ${server.tls}`,
    label: `mail server ${key(server)}`,
    needsProof: false
  })
)

/** By a slow digest of the password. */
export const loginBreaker = (server: SmtpServer, credentials: Credentials): Effect.Effect<Circuits.Breaker> =>
  Effect.map(digest(server, credentials), (digits) => ({
    name: `login ${key(server)} ${digits}`,
    label: `the login at mail server ${key(server)}`,
    needsProof: true
  }))

/** No answer that could be used. */
const silences: ReadonlySet<MailerReason> = new Set(["Connect", "Protocol", "Tls", "ConnectionLost", "Timeout"])

/** Nothing was asked of the server. */
const unasked: ReadonlySet<MailerReason> = new Set(["Stopped", "BreakerOpen"])

/** What a mail that failed says of its server. */
const signOf = ({ reason }: MailerError) =>
  unasked.has(reason) ? "Nothing" : silences.has(reason) ? "Silent" : "Answered"

/** What a server that denies everybody has to say. */
const denial = "it refuses all recipients with 5.7.x; is this worker allowed to send by it?"

/** Makes one for a mailer; its state is in the store. */
export const make = Effect.fnUntraced(function* (options: Options = {}) {
  const rules = options.rules ?? Circuit.standard
  const circuits = yield* Circuits.make(yield* BreakerStore, rules)
  const places = yield* Places.make(
    { slots: options.slots ?? defaultSlots, isCautious: options.queued ?? false },
    rules
  )
  /** By their fingerprint. */
  const logins = new Map<string, Circuits.Breaker>()

  const knownLoginBreaker = (server: SmtpServer, credentials: Credentials) =>
    Effect.gen(function* () {
      const id = fingerprint(server, credentials)
      const login = logins.get(id) ?? (yield* loginBreaker(server, credentials))
      Bounded.set(logins, id, login, maxStates)
      return login
    })

  const pass = (breaker: Circuits.Breaker, server: SmtpServer): Effect.Effect<void, MailerError> =>
    Effect.flatMap(circuits.ask(breaker, Math.min(probeTimeouts * server.timeout, maxProbe)), (wait) => {
      if (wait === undefined) return Effect.void
      const why =
        wait.why === "Open" ? "does not work" : wait.why === "Probe" ? "is being tried again" : "is being tried first"
      return Effect.flatMap(Places.spread(rules, wait.rest), (retryIn) =>
        Places.postponed(`${breaker.label} ${why}`, retryIn)
      )
    })

  /** Says what a failure means; one that only a mended configuration cures is retried when the breaker lets one try. */
  const reportFailure = (
    error: MailerError,
    connect: Circuits.Breaker,
    login: Circuits.Breaker | undefined
  ): Effect.Effect<never, MailerError> =>
    Effect.gen(function* () {
      const isOfLogin = login !== undefined && error.reason === "Authentication"
      const fault = error.verdict === "Configuration" ? "Configuration" : "Silence"
      const rest = yield* circuits.failed(isOfLogin ? login : connect, fault, error.detail)
      if (isOfLogin) yield* circuits.succeeded(connect)
      else if (login !== undefined) yield* circuits.released(login)
      if (fault === "Silence") return yield* error
      const { cause, detail, reason, verdict } = error
      return yield* new MailerError({ reason, verdict, detail, cause, retryIn: yield* Places.spread(rules, rest) })
    })

  return {
    admit: (server, credentials, open) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          const connect = connectBreaker(server)
          const login = credentials === undefined ? undefined : yield* knownLoginBreaker(server, credentials)
          yield* pass(connect, server)
          if (login !== undefined) yield* Effect.tapError(pass(login, server), () => circuits.released(connect))
          const exit = yield* Effect.exit(restore(open))
          // Whether the server does more than greet is known when it has answered to a mail.
          if (Exit.isSuccess(exit)) {
            if (login !== undefined) yield* circuits.succeeded(login)
            return exit.value
          }
          const error = Cause.failureOption(exit.cause)
          if (Option.isSome(error)) return yield* reportFailure(error.value, connect, login)
          yield* circuits.released(connect)
          if (login !== undefined) yield* circuits.released(login)
          return yield* exit
        })
      ),
    guard: (server, send, isOurs, afterDenial = () => undefined) =>
      Effect.clockWith((clock) =>
        places.take(server, clock, (hand) => {
          const breaker = connectBreaker(server)
          const answered = () => {
            const now = Monotonic.unsafeMillis(clock)
            places.answered(hand, now)
            return circuits.worked(breaker, now)
          }
          /** Says what a failure means for the server. */
          const reportOf = (cause: Cause.Cause<MailerError>): Effect.Effect<unknown> => {
            const error = Option.getOrUndefined(Cause.failureOption(cause))
            const sign = error === undefined ? "Nothing" : signOf(error)
            if (sign === "Answered") return answered()
            if (sign !== "Silent" || error === undefined) return Effect.void
            places.failed(hand, Monotonic.unsafeMillis(clock))
            return isOurs() ? circuits.failed(breaker, "Silence", error.detail) : Effect.void
          }
          const sent = send((giveUp) => {
            hand.giveUp = () => giveUp(Places.giveUp(hand, rules))
          })
          return Effect.matchCauseEffect(sent, {
            onSuccess: (answer) => {
              places.leave(hand)
              const after = afterDenial(answer)
              if (after === undefined) return Decided.flatMap(answered(), () => Effect.succeed(answer))
              const opened = Effect.zipRight(circuits.failed(breaker, "Configuration", denial), after)
              return Effect.as(opened, answer)
            },
            onFailure: (cause) => {
              places.leave(hand)
              return Effect.zipRight(reportOf(cause), Effect.failCause(cause))
            }
          })
        })
      )
  } satisfies Breaker as Breaker
})
