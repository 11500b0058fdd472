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
export class SmtpFault extends Data.TaggedError("SmtpFault")<{ readonly error: DriverError }> {
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
    progress: Progress.Progress
  ) => Effect.Effect<SMTPConnectionSendInfo, SmtpFault>
}

/**
 * RFC 5321 4.5.3.2.6 gives the reply to the final dot ten minutes: an impatient client has its mail delivered twice.
 * A code is dead long before that.
 */
export const dotTimeout = (timeout: number): number => Math.max(60_000, timeout)

/** More of one reply is hostile; the longest EHLO replies have a few hundred octets. */
const maxReplyOctets = 64 * 1024

/** What an address of a host gets before the next one is tried; RFC 8305 asks for 250 ms or more. */
const addressShare = (timeout: number): number => Math.max(250, Math.floor(timeout / 4))

/** Opens the TCP connection as the system names hosts (/etc/hosts, nsswitch), trying the addresses in turn. */
const connect = (target: Target): Effect.Effect<net.Socket, SmtpFault> =>
  Effect.async((resume) => {
    const socket = net.connect({
      host: target.host,
      port: target.port,
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: addressShare(target.timeout)
    })
    const fail = (error: DriverError) => {
      socket.destroy()
      resume(Effect.fail(new SmtpFault({ error })))
    }
    socket.once("error", fail)
    socket.setTimeout(target.timeout, () => fail(Object.assign(new Error("no connection"), { code: "ETIMEDOUT" })))
    socket.once("connect", () => {
      socket.setTimeout(0)
      socket.removeAllListeners("timeout")
      socket.removeListener("error", fail)
      resume(Effect.succeed(socket))
    })
    return Effect.sync(() => socket.destroy())
  })

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
const wrap = (target: Target, socket: net.Socket, loopback: boolean): SMTPConnection =>
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
    maxResponseSize: maxReplyOctets,
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
  /** Fails also when the connection ends, which the driver tells only some of its callbacks. */
  readonly exchange: <A>(
    start: (done: (error: DriverError | null | undefined, value: A) => void) => void
  ) => Effect.Effect<A, SmtpFault>
}

const unsafeMakeSession = (target: Target, socket: net.Socket): Session => {
  const loopback = isLoopback(socket.remoteAddress)
  const smtp = wrap(target, socket, loopback)
  let ended: DriverError | undefined
  let pending: ((error: DriverError) => void) | undefined
  const end = (error: DriverError) => {
    ended ??= error
    pending?.(ended)
  }
  smtp.on("error", end)
  smtp.on("end", () => end(Object.assign(new Error("connection closed"), { code: "ECONNECTION" })))
  return {
    smtp,
    loopback,
    isAlive: () => ended === undefined,
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

/** Whether the server refused in words that leave the connection as it is. */
const isAnswered = ({ rejectedErrors, responseCode }: DriverError): boolean =>
  responseCode !== undefined &&
  [responseCode, ...(rejectedErrors ?? []).map((it) => it.responseCode)].every(
    (code) => code !== undefined && code >= 400 && code !== 421
  )

/**
 * Opens a connection up to the reply to the last EHLO. Closing the scope after a success says QUIT; otherwise, and when
 * an operation is interrupted, the connection is cut at once.
 */
export const open = (target: Target): Effect.Effect<Connection, SmtpFault, Scope.Scope> =>
  Effect.gen(function* () {
    const { exchange, isAlive, loopback, smtp } = yield* Effect.acquireRelease(
      Effect.map(Effect.interruptible(connect(target)), (socket) => unsafeMakeSession(target, socket)),
      ({ isAlive, smtp }, exit) => Effect.sync(() => (Exit.isSuccess(exit) && isAlive() ? smtp.quit() : smtp.close()))
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
    const reset = exchange<void>((done) => smtp.reset((error) => done(error, undefined)))
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
            const refused = Object.assign(new Error("not authenticated"), { code: "EAUTH" })
            done(error ?? (smtp.authenticated ? null : refused), undefined)
          })
        }),
      send: (envelope, message, progress) => {
        const onDot = () => patience(dotTimeout(target.timeout))
        const isNotFirst = state === "Unfinished"
        mails += 1
        patience(target.timeout)
        const transaction = exchange<SMTPConnectionSendInfo>((done) => {
          state = "Unfinished"
          smtp.send(envelope, Progress.stream(message, progress, onDot), done)
        }).pipe(
          Effect.tapBoth({
            onSuccess: () => after("Clean"),
            // Without a reply, or with the one that says good-bye (RFC 5321 3.8), there is nothing to go on with.
            onFailure: ({ error }) => after(isAnswered(error) ? "Unfinished" : "Broken")
          })
        )
        return isNotFirst ? Effect.zipRight(reset, transaction) : transaction
      }
    }
  })
