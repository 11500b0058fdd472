/**
 * The connections to all SMTP servers: kept open between mails, so many to a server and no more.
 */
import { createHash } from "node:crypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Pool from "effect/Pool"
import * as RcMap from "effect/RcMap"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { MailerError } from "../Mailer.ts"
import * as Monotonic from "../Monotonic.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import type { Breaker } from "./Breaker.ts"
import * as Connection from "./Connection.ts"
import { isCertificateFault, toMailerError } from "./classify.ts"
import { type Credentials, login } from "./login.ts"
import type * as Progress from "./Progress.ts"
import { type ServerOptions, setting } from "./ServerOptions.ts"

/** What a connection is made from. */
export interface Destination {
  readonly server: SmtpServer
  readonly options: ServerOptions
  readonly credentials: Credentials | undefined
  /** The name this machine gives itself. */
  readonly ehlo: string
}

export interface Connections {
  /**
   * Hands a connection to `send`, a kept one where there is one. Where that turns out to be dead before the mail has
   * begun, the next one is tried, until a new one fails: it costs the mail nothing that a server closed an idle connection.
   */
  readonly use: <A, E>(
    destination: Destination,
    send: (connection: Connection.Connection) => Effect.Effect<A, E | Connection.SmtpFault>,
    /** Whether a failed `send` may be tried on another connection: no part of the mail has left. */
    isUntouched: () => boolean
  ) => Effect.Effect<A, E | MailerError | Connection.SmtpFault>
  /** Keeps none of the connections that there are: the next mail opens one, and asks the breaker. */
  readonly forget: (destination: Destination) => Effect.Effect<void>
}

/** As many connections to one server are polite; Postfix takes 50 from one client, others fewer. */
const defaultConnections = 10

/** So long is one kept that nobody uses; RFC 5321 4.5.3.2.7 lets a server wait five minutes. */
const idle = Duration.seconds(30)

/** So many mails go over one: servers end long sessions, and nodemailer's own pool stops there too. */
const maxMails = 100

/** Replies until a connection is logged in, all of them as late as they may come. */
const maxReplies = 8

/** The same for all mails that may go over the same connections. */
class Key implements Equal.Equal {
  readonly destination: Destination
  private readonly id: string

  constructor(destination: Destination) {
    this.destination = destination
    const { credentials, ehlo, server } = destination
    const secret = credentials === undefined ? "" : Redacted.value(credentials.password)
    // Options follow from host and port; a password is part of it by its digest alone.
    this.id = JSON.stringify([
      server.host,
      server.port,
      server.tls,
      server.timeout,
      ehlo,
      credentials?.username,
      createHash("sha256").update(secret).digest("base64")
    ])
  }

  [Equal.symbol](that: Equal.Equal): boolean {
    return that instanceof Key && that.id === this.id
  }

  [Hash.symbol](): number {
    return Hash.string(this.id)
  }
}

const isSecureEnough = (server: SmtpServer, connection: Connection.Connection) =>
  server.tls === "Opportunistic" || connection.secure

/** TLS that fails comes with what to write, where that is known. */
const withAdvice = (error: MailerError, fault: Connection.SmtpFault, server: SmtpServer): MailerError => {
  if (error.reason !== "Tls" || error.verdict !== "Configuration") return error
  const advice = isCertificateFault(fault.error)
    ? `mend the certificate, or write ${setting(server, "'verify': False")} to the configuration file`
    : fault.error.response === undefined
      ? "is this the port for the way of TLS that is set?"
      : "the mail server does no STARTTLS, but tls is set for this SMTP server"
  const { cause, detail, reason, verdict } = error
  return new MailerError({ reason, verdict, detail: `${detail}; ${advice}`, cause })
}

/** Opens a connection and logs in. */
export const open = ({
  credentials,
  ehlo,
  options,
  server
}: Destination): Effect.Effect<Connection.Connection, MailerError, Scope.Scope> => {
  const limit = maxReplies * server.timeout
  let stage: Progress.Stage = "Connect"
  return Effect.gen(function* () {
    const connection = yield* Connection.open({
      host: server.host,
      port: server.port,
      // Without a password nothing is worth a failed handshake; eduMFA never used STARTTLS here.
      tls: server.tls === "Opportunistic" && credentials === undefined ? "Ignore" : server.tls,
      timeout: server.timeout,
      ehlo,
      verify: options.verify,
      ca: options.ca
    })
    stage = "Login"
    if (!isSecureEnough(server, connection)) {
      const detail = "while connecting: the connection is not encrypted"
      return yield* new MailerError({ reason: "Tls", verdict: "Configuration", detail })
    }
    if (credentials !== undefined) {
      yield* login(connection, server, credentials, options)
    }
    return connection
  }).pipe(
    Effect.catchTag("SmtpFault", (fault) => {
      const words = credentials === undefined ? [] : [Redacted.value(credentials.password)]
      return Effect.fail(withAdvice(toMailerError(fault, stage, { subject: "", body: "", words }), fault, server))
    }),
    Effect.timeoutFail({
      duration: limit,
      onTimeout: () =>
        new MailerError({
          reason: "Timeout",
          verdict: "Transient",
          detail: `while connecting: the mail server took more than ${limit} ms`
        })
    })
  )
}

/** What came of opening a connection: the pool leaves its other waiters alone for good where one fails to be made. */
interface Opening {
  readonly opened: Exit.Exit<Connection.Connection, MailerError>
  /** Monotonic milliseconds. */
  readonly at: number
}

const attemptToOpen = (
  opening: Effect.Effect<Connection.Connection, MailerError, Scope.Scope>
): Effect.Effect<Opening, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), Scope.close)
    const opened = yield* Effect.exit(Scope.extend(opening, scope))
    if (Exit.isFailure(opened)) yield* Scope.close(scope, opened)
    return { opened, at: yield* Monotonic.millis }
  })

/** Opens none before it is used, and only where the breaker lets it; ends all with its scope. */
export const make = Effect.fnUntraced(function* (breaker: Breaker): Effect.fn.Return<Connections, never, Scope.Scope> {
  const pools = yield* RcMap.make({
    lookup: ({ destination }: Key) =>
      Pool.makeWithTTL({
        acquire: attemptToOpen(breaker.admit(destination.server, destination.credentials, open(destination))),
        min: 0,
        max: destination.options.connections ?? defaultConnections,
        timeToLive: idle
      }),
    idleTimeToLive: idle
  })

  // A pool waits for what is in use, as long as a mail server may take to answer to a final dot: who closes it has waited.
  const inUse = new Set<Connection.Connection>()
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const connection of inUse) connection.cut()
    })
  )

  return {
    forget: (destination) => RcMap.invalidate(pools, new Key(destination)),
    use: (destination, send, isUntouched) =>
      Effect.gen(function* () {
        const pool = yield* RcMap.get(pools, new Key(destination))
        /** None: the connection was dead before the mail had begun. */
        const attempt = Effect.gen(function* () {
          // A pool's waiters are uninterruptible; one that comes too late gives back what it got, for its scope is closed.
          const begunAt = yield* Monotonic.millis
          const opening = yield* Effect.disconnect(Pool.get(pool))
          if (Exit.isFailure(opening.opened)) {
            yield* Pool.invalidate(pool, opening)
            // It was for one who was gone by then.
            if (opening.at < begunAt) return Option.none()
            return yield* Effect.failCause(opening.opened.cause)
          }
          const connection = opening.opened.value
          const isKept = connection.mails() > 0
          if (!connection.isAlive()) {
            yield* Pool.invalidate(pool, opening)
            return Option.none()
          }
          inUse.add(connection)
          const sent = yield* Effect.ensuring(
            Effect.either(send(connection)),
            Effect.sync(() => inUse.delete(connection))
          )
          if (connection.isAlive() && connection.mails() < maxMails) connection.rest()
          else yield* Pool.invalidate(pool, opening)
          if (sent._tag === "Right") return Option.some(sent.right)
          if (isKept && !connection.isAlive() && isUntouched()) return Option.none()
          return yield* Effect.fail(sent.left)
        }).pipe(Effect.scoped)
        for (;;) {
          const sent = yield* attempt
          if (Option.isSome(sent)) return sent.value
        }
      }).pipe(Effect.scoped)
  }
})
