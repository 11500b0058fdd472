/**
 * Logs in by the strongest way both sides know, and never sends a password where others can read it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import type { Connection, Mechanism, SmtpFault } from "./Connection.ts"
import { Known } from "./Known.ts"
import { entry, key, type ServerOptions, setting } from "./ServerOptions.ts"

/** Who logs in. */
export interface Credentials {
  readonly username: string
  /** In clear. */
  readonly password: Redacted.Redacted
}

/** As Python's smtplib: CRAM-MD5 sends no password, so it needs no TLS. */
const preference: ReadonlyArray<Mechanism> = ["CRAM-MD5", "PLAIN", "LOGIN"]

/** More are forgotten: each is a server with a user name that refused a login. */
const maxRefusing = 1_000

/**
 * Servers with user names that refused CRAM-MD5, for the life of the process.
 *
 * Many servers offer it and keep no password it could be checked with; to them every password is wrong, and smtplib goes
 * on with PLAIN. A wrong password looks the same, and each refused login brings an account nearer to its lock-out. So
 * CRAM-MD5 is not tried again where it was refused, unless PLAIN is refused as well: a password may be right by now.
 */
class RefusingCramMd5 extends Context.Reference<RefusingCramMd5>()("edumfa-queue/Mailer/login/RefusingCramMd5", {
  defaultValue: () => new Set<string>()
}) {}

const impossible = (detail: string) =>
  new MailerError({ reason: "Authentication", verdict: "Configuration", detail: `at login: ${detail}` })

/** Refuses a login at a server that may not get a password, before anything is decrypted or connected. */
export const permit = (server: SmtpServer, options: ServerOptions): MailerError | undefined =>
  server.username === undefined || options.login !== false
    ? undefined
    : impossible(
        "'only' keeps the password from mail servers that are not listed; if this one is yours, add " +
          `${entry(server)} to EDUMFA_QUEUE_WORKER_SMTP in the configuration file`
      )

/**
 * Whether a refusal is about the mechanism and no login was refused: 504 and 534 (RFC 4954 4 and 6), and any before the
 * digest of CRAM-MD5 was sent, which the driver tells only by its words.
 */
const isAboutMechanism = (mechanism: Mechanism, { error }: SmtpFault): boolean =>
  error.responseCode === 504 ||
  error.responseCode === 534 ||
  (mechanism === "CRAM-MD5" && isRefusal(error.responseCode) && error.message.includes("waiting for server challenge"))

const isRefusal = (code: number | undefined): boolean => code !== undefined && code >= 500

/** The mechanisms that both sides know and that `connection` is good enough for, strongest first. */
const mechanismsFor = (
  connection: Connection,
  server: SmtpServer,
  options: ServerOptions
): Either.Either<ReadonlyArray<Mechanism>, MailerError> => {
  const offered = preference.filter((mechanism) => connection.mechanisms.has(mechanism))
  if (offered.length === 0) {
    return Either.left(
      impossible(
        connection.mechanisms.size === 0
          ? "a user name is set, and the mail server offers no AUTH"
          : "the mail server offers none of CRAM-MD5, PLAIN and LOGIN"
      )
    )
  }
  const clear = connection.secure || (options.allowPlaintextAuth ?? connection.loopback)
  const usable = clear ? offered : offered.filter((mechanism) => mechanism === "CRAM-MD5")
  return usable.length > 0
    ? Either.right(usable)
    : Either.left(
        impossible(
          "the password is not sent without TLS; ask for TLS in the definition of this SMTP server, or write " +
            `${setting(server, "'allow_plaintext_auth': True")} to the configuration file`
        )
      )
}

/**
 * Authenticates `connection`. A wrong password costs two refused logins in the first attempt where CRAM-MD5 is offered, as
 * by smtplib, and one in the next. A server that is new is logged.
 */
export const login = (
  connection: Connection,
  server: SmtpServer,
  { password, username }: Credentials,
  options: ServerOptions
): Effect.Effect<void, MailerError | SmtpFault> =>
  Effect.gen(function* () {
    const usable = yield* mechanismsFor(connection, server, options)
    // RFC 4616 2: it separates user name and password on the wire.
    if (`${username}${Redacted.value(password)}`.includes("\0")) {
      return yield* impossible("the user name or the password holds a NUL character")
    }
    const name = key(server)
    if (yield* (yield* Known).isNew(name)) {
      yield* Effect.logWarning(`${name} gets a password from this queue for the first time`)
    }
    const refusing = yield* RefusingCramMd5
    const id = JSON.stringify([name, username])
    const others = usable.filter((mechanism) => mechanism !== "CRAM-MD5")
    const order = refusing.has(id) && others.length > 0 ? others : usable
    for (const mechanism of order) {
      const done = yield* Effect.either(connection.login(mechanism, username, password))
      if (Either.isRight(done)) return
      const { left } = done
      if (isRefusal(left.error.responseCode)) {
        if (mechanism !== "CRAM-MD5") {
          if (!order.includes("CRAM-MD5")) refusing.delete(id)
        } else if (others.length > 0 && !isAboutMechanism(mechanism, left)) {
          if (refusing.size >= maxRefusing) refusing.clear()
          refusing.add(id)
          yield* Effect.logInfo(`${name} refuses CRAM-MD5: from now on logins are by ${others[0]}`)
          continue
        }
      }
      if (mechanism !== order.at(-1) && isAboutMechanism(mechanism, left)) continue
      return yield* Effect.fail(done.left)
    }
  })
