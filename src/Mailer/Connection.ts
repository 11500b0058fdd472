/**
 * One SMTP connection: opened, secured and greeted; then a login, then mails. nodemailer is wrapped here and nowhere else.
 */
import * as net from "node:net"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import SMTPConnection, { type SMTPConnectionSendInfo, type SMTPEnvelope } from "nodemailer/lib/smtp-connection"
import { isLoopback } from "../Loopback.ts"
import * as Progress from "./Progress.ts"
import * as Reply from "./Reply.ts"
import * as Socket from "./Socket.ts"

/** How the driver describes a failure; see `classify.ts` for what it means. */
export interface DriverError extends Error {
  readonly code?: string | undefined
  /** The code of the system or of OpenSSL, where `code` is nodemailer's. */
  readonly originalCode?: string | undefined
  readonly responseCode?: number | undefined
  readonly response?: string | undefined
  readonly command?: string | undefined
  readonly rejectedErrors?: ReadonlyArray<DriverError> | undefined
  readonly recipient?: string | undefined
}

/** The driver failed; what that means depends on how far the mail had come. */
export class SmtpFault extends Data.TaggedError("SmtpFault")<{
  readonly error: DriverError
  /** Recipients that the server had refused before. Absent: none. */
  readonly rejected?: ReadonlyArray<DriverError>
}> {
  override get message() {
    return `SMTP failed: ${this.error.code ?? "no code"}`
  }
}

/** What a connection is opened with. */
export interface Target {
  readonly host: string
  readonly port: number
  /** `Ignore`: STARTTLS is not used though it may be offered. */
  readonly tls: "Implicit" | "StartTls" | "Opportunistic" | "Ignore"
  /** Milliseconds for connecting and for every reply before the final dot. */
  readonly timeout: number
  /** The name this machine gives itself. */
  readonly ehlo: string
  /** Whether the certificate must be valid; absent: unless the server is on this machine. */
  readonly verify: boolean | undefined
  /** Certificates (PEM) trusted instead of the system's. */
  readonly ca: string | undefined
}

/** SASL mechanisms we speak. */
export type Mechanism = "CRAM-MD5" | "PLAIN" | "LOGIN"

/** A connection that the server greeted. */
export interface Connection {
  /** Whether another mail can be sent: neither side has ended it, and nothing is out of step. */
  readonly isAlive: () => boolean
  /** How many mails it has begun to send. */
  readonly mails: () => number
  /** Nothing is sent for a while: silence is no fault then. */
  readonly rest: () => void
  readonly secure: boolean
  /** The server is on this machine. */
  readonly loopback: boolean
  /** First words of the lines of the EHLO reply, upper case. */
  readonly extensions: ReadonlySet<string>
  /** What the server offers after AUTH, upper case. */
  readonly mechanisms: ReadonlySet<string>
  readonly login: (
    mechanism: Mechanism,
    username: string,
    password: Redacted.Redacted
  ) => Effect.Effect<void, SmtpFault>
  readonly send: (
    envelope: SMTPEnvelope,
    message: Buffer,
    progress: Progress.Progress,
    /** Milliseconds from the final dot to the whole of its reply. */
    dotTimeout: number
  ) => Effect.Effect<SMTPConnectionSendInfo, SmtpFault>
}

/** Reads the reply to EHLO or HELO, `250-NAME words` line by line. */
const parseEhlo = (reply: string | false) => {
  const lines = (reply || "").split(/\r?\n/).slice(1)
  const words = lines.map((line) =>
    line
      .slice(4)
      .trim()
      .toUpperCase()
      .split(/[\s=]+/)
  )
  return {
    extensions: new Set(words.flatMap(([name]) => name ?? [])),
    mechanisms: new Set(words.flatMap(([name, ...rest]) => (name === "AUTH" ? rest : [])))
  }
}

/** nodemailer's connection over a socket that is open; it does nothing before `connect`. */
const wrap = (
  target: Target,
  socket: net.Socket,
  loopback: boolean,
  onReply: (reply: string) => void
): SMTPConnection =>
  new SMTPConnection({
    host: target.host,
    port: target.port,
    connection: socket,
    secure: target.tls === "Implicit",
    requireTLS: target.tls === "StartTls",
    ignoreTLS: target.tls === "Ignore",
    name: target.ehlo,
    // Each step has its own limit, and the whole mail has one: this one only must not be shorter.
    connectionTimeout: 6 * target.timeout,
    greetingTimeout: target.timeout,
    socketTimeout: target.timeout,
    socketCloseTimeout: 0,
    maxResponseSize: Reply.maxOctets,
    logger: Reply.logger(onReply),
    transactionLog: true,
    tls: {
      rejectUnauthorized: target.verify ?? !loopback,
      minVersion: "TLSv1.2",
      // A final dot is part of a name in DNS, never in a certificate.
      ...(net.isIP(target.host) === 0 ? { servername: target.host.replace(/\.$/, "") } : {}),
      ...(target.ca === undefined ? {} : { ca: target.ca })
    }
  })

/** A driver and the one operation under way on it. */
interface Session {
  readonly smtp: SMTPConnection
  readonly loopback: boolean
  readonly isAlive: () => boolean
  /** The mail under way. */
  readonly begin: (progress: Progress.Progress) => void
  /** Ends the connection and what is under way on it. */
  readonly cut: (error: DriverError) => void
  /** Fails also when the connection ends, which the driver tells only some of its callbacks. */
  readonly exchange: <A>(
    start: (done: (error: DriverError | null | undefined, value: A) => void) => void
  ) => Effect.Effect<A, SmtpFault>
}

const driverError = (message: string, fields: Partial<DriverError>): DriverError =>
  Object.assign(new Error(message), fields)

const closed = () => driverError("connection closed", { code: "ECONNECTION" })

/** A reply after which nothing can go on. */
const replyError = (code: string, response: string): DriverError =>
  driverError("unexpected reply", {
    code,
    response,
    ...(Reply.isReadable(response) ? { responseCode: Reply.codeOf(response) } : {})
  })

const unsafeMakeSession = (target: Target, socket: net.Socket): Session => {
  const loopback = isLoopback(socket.remoteAddress)
  let ended = socket.destroyed ? closed() : undefined
  let pending: ((error: DriverError) => void) | undefined
  let mail: Progress.Progress | undefined
  const end = (error: DriverError) => {
    ended ??= error
    pending?.(ended)
  }
  const cut = (error: DriverError) => {
    end(error)
    smtp.close()
  }
  // The driver reads replies by their first digit, and takes none amiss while it sends a message.
  const smtp = wrap(target, socket, loopback, (reply) => {
    // The rest of a reply that the connection ended in the middle of is none.
    if (!smtp._socket || smtp._socket.destroyed) return
    if (!Reply.isReadable(reply)) cut(replyError("EPROTOCOL", reply))
    else if (Reply.codeOf(reply) === 421) cut(replyError("ECONNECTION", reply))
    else if (mail?.stage === "Body") cut(replyError("EMESSAGE", reply))
  })
  smtp.on("error", end)
  smtp.on("end", () => end(closed()))
  return {
    smtp,
    loopback,
    isAlive: () => ended === undefined,
    begin: (progress) => {
      mail = progress
    },
    cut,
    exchange: <A>(start: (done: (error: DriverError | null | undefined, value: A) => void) => void) =>
      Effect.async<A, SmtpFault>((resume) => {
        const fail = (error: DriverError) => resume(Effect.fail(new SmtpFault({ error })))
        if (ended !== undefined) return fail(ended)
        pending = fail
        start((error, value) => {
          pending = undefined
          if (error) fail(error)
          else resume(Effect.succeed(value))
        })
        return Effect.sync(() => smtp.close())
      })
  }
}

/** What the driver notes in the envelope that it was given. */
interface Books {
  readonly mailError?: unknown
  readonly rejectedErrors?: ReadonlyArray<DriverError>
}

/** Whether the server refused in words that leave the connection as it is. */
const isAnswered = ({ rejectedErrors, responseCode }: DriverError): boolean =>
  responseCode !== undefined &&
  [responseCode, ...(rejectedErrors ?? []).map((it) => it.responseCode)].every(
    (code) => code !== undefined && code >= 400 && code !== 421
  )

/** A good-bye is worth no more; milliseconds. */
const goodByeTimeout = 1_000

/** Says QUIT, and waits for the reply (RFC 5321 4.1.1.10) where it holds nobody up. */
const quit = ({ exchange, smtp }: Session): Effect.Effect<void> =>
  Effect.sync(() => smtp.quit()).pipe(
    Effect.zipRight(
      // The mail before has its outcome already: no way to end the connection changes that.
      exchange<void>(() => {}).pipe(
        Effect.timeout(goodByeTimeout),
        Effect.ignore,
        Effect.interruptible,
        Effect.forkDaemon
      )
    )
  )

/**
 * Opens a connection up to the reply to the last EHLO. Closing the scope after a success says QUIT; otherwise, and when
 * an operation is interrupted, the connection is cut at once.
 */
export const open = (target: Target): Effect.Effect<Connection, SmtpFault, Scope.Scope> =>
  Effect.gen(function* () {
    const { begin, cut, exchange, isAlive, loopback, smtp } = yield* Effect.acquireRelease(
      Socket.connect(target).pipe(
        Effect.interruptible,
        Effect.mapBoth({
          onFailure: (error) => new SmtpFault({ error }),
          onSuccess: (socket) => unsafeMakeSession(target, socket)
        })
      ),
      (session, exit) =>
        Exit.isSuccess(exit) && session.isAlive() ? quit(session) : Effect.sync(() => session.smtp.close())
    )
    yield* exchange<void>((done) => smtp.connect((error) => done(error, undefined)))
    const patience = (millis: number) => {
      if (smtp._socket) smtp._socket.setTimeout(millis)
    }
    let mails = 0
    // What a refused mail leaves behind: a transaction to reset, or replies that nobody can tell apart any more.
    let state: "Clean" | "Unfinished" | "Broken" = "Clean"
    const after = (next: typeof state) =>
      Effect.sync(() => {
        state = next
      })
    // What cannot be reset is no place for another mail.
    const reset = exchange<void>((done) => smtp.reset((error) => done(error, undefined))).pipe(
      Effect.tapError(() => after("Broken"))
    )
    return {
      isAlive: () => isAlive() && state !== "Broken",
      mails: () => mails,
      rest: () => patience(0),
      secure: smtp.secure,
      loopback,
      ...parseEhlo(smtp.lastServerResponse),
      login: (method, user, password) =>
        exchange<void>((done) => {
          smtp.login({ method, user, pass: Redacted.value(password) }, (error) => {
            const refused = driverError("not authenticated", { code: "EAUTH" })
            done(error ?? (smtp.authenticated ? null : refused), undefined)
          })
        }),
      send: (envelope, message, progress, dotTimeout) => {
        let deadline: NodeJS.Timeout | undefined
        const watcher = {
          // The driver takes any reply that is no refusal for the invitation (RFC 5321 4.3.2).
          mayBegin: () => {
            const reply = smtp.lastServerResponse || ""
            if (Reply.codeOf(reply) === 354) return true
            cut(replyError("EPROTOCOL", reply))
            return false
          },
          // Not a limit for silence, which a server that trickles never reaches.
          onDot: () => {
            patience(0)
            deadline = setTimeout(() => cut(driverError("no complete reply", { code: "ETIMEDOUT" })), dotTimeout)
          }
        }
        const isNotFirst = state === "Unfinished"
        mails += 1
        patience(target.timeout)
        const books: SMTPEnvelope & Books = { ...envelope }
        const transaction = exchange<SMTPConnectionSendInfo>((done) => {
          state = "Unfinished"
          begin(progress)
          smtp.send(books, Progress.stream(message, progress, watcher), done)
        }).pipe(
          Effect.tapBoth({
            onSuccess: () => after("Clean"),
            // Without a reply, or with the one that says good-bye (RFC 5321 3.8), there is nothing to go on with.
            onFailure: ({ error }) => after(isAnswered(error) ? "Unfinished" : "Broken")
          }),
          // Recipients are refused for no fault of theirs where the sender was.
          Effect.mapError(({ error }) => {
            const rejected = books.mailError === undefined ? (books.rejectedErrors ?? []) : []
            return new SmtpFault({ error, rejected })
          }),
          Effect.ensuring(Effect.sync(() => clearTimeout(deadline)))
        )
        return isNotFirst ? Effect.zipRight(reset, transaction) : transaction
      }
    }
  })
