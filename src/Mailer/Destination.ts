/**
 * Where a mail goes: what a connection to an SMTP server is made from, and how it is opened.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import * as Connection from "./Connection.ts"
import { systemCode, toMailerError } from "./classify.ts"
import { fingerprint } from "./credentials.ts"
import { type Credentials, login } from "./login.ts"
import type * as Progress from "./Progress.ts"
import type { ServerOptions } from "./ServerOptions.ts"
import * as TlsFault from "./tlsFault.ts"

/** What a connection is made from. */
export interface Destination {
  readonly server: SmtpServer
  readonly options: ServerOptions
  readonly credentials: Credentials | undefined
  /** The name this machine gives itself. */
  readonly ehlo: string
}

/** Replies until a connection is logged in, all of them as late as they may come. */
const maxReplies = 8

/** The same for all mails that may go over the same connections. Options follow from host and port. */
export const idOf = ({ credentials, ehlo, server }: Destination): string => {
  const { host, port, timeout, tls } = server
  const login = credentials === undefined ? [] : [fingerprint(server, credentials)]
  return JSON.stringify([host, port, tls, timeout, ehlo, ...login])
}

const isSecureEnough = (server: SmtpServer, connection: Connection.Connection) =>
  server.tls === "Opportunistic" || connection.secure

/** TLS that fails comes with what to write, where that is known. */
const withAdvice = (error: MailerError, fault: Connection.SmtpFault, server: SmtpServer): MailerError => {
  if (error.reason !== "Tls" || error.verdict !== "Configuration") return error
  const advice =
    fault.error.response === undefined
      ? TlsFault.advice(systemCode(fault.error), server)
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
