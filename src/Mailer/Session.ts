/**
 * nodemailer's connection, wrapped here and nowhere else: one operation at a time, which ends when the connection does,
 * and no reply believed that is none. It connects, secures and logs in; mails are sent by `Transaction.ts`.
 */
import * as net from "node:net"
import * as Effect from "effect/Effect"
import SMTPConnection from "nodemailer/lib/smtp-connection"
import { isLoopback } from "../Loopback.ts"
import * as Reply from "./Reply.ts"

/** How the driver describes a failure; see `classify.ts` for what it means. */
export interface DriverError extends Error {
  readonly code?: string | undefined
  /** The code of the system or of OpenSSL, where `code` is nodemailer's. */
  readonly originalCode?: string | undefined
  readonly responseCode?: number | undefined
  readonly response?: string | undefined
  readonly command?: string | undefined
  readonly recipient?: string | undefined
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

/** Begins an operation of the driver, which calls back at its end. */
export type Start<A> = (done: (error: DriverError | null | undefined, value: A) => void) => void

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

/** Who gets the replies. */
interface Listener {
  readonly reply: (reply: string) => void
  /** All that came at once was told; `isMore`: a part of another reply came with it. */
  readonly turn: (isMore: boolean) => void
}

/** What is made of the end of an operation, at once: before anything else happens on its connection. */
interface End<in A, out B, out E> {
  readonly onSuccess: (value: A) => Effect.Effect<B, E>
  readonly onFailure: (error: DriverError) => Effect.Effect<B, E>
}

/** A driver and the one operation under way on it. */
export interface Session {
  readonly smtp: SMTPConnection
  readonly loopback: boolean
  readonly isAlive: () => boolean
  /**
   * Hands all replies to a listener from now on; the driver does no more than tell how the connection ends. False: it has
   * ended.
   */
  readonly listen: (start: (wire: net.Socket) => Listener) => boolean
  /** Ends the connection and what is under way on it. */
  readonly cut: (error: DriverError) => void
  /**
   * Fails also when the connection ends, which the driver tells only some of its callbacks. Interruption closes the
   * connection.
   */
  readonly exchange: <A>(start: Start<A>) => Effect.Effect<A, DriverError>
  /** The same where it is not to be interrupted, and what is made of its end. */
  readonly operate: <A, B, E>(start: Start<A>, end: End<A, B, E>) => Effect.Effect<B, E>
}

export const driverError = (message: string, fields: Partial<DriverError>): DriverError =>
  Object.assign(new Error(message), fields)

const closed = () => driverError("connection closed", { code: "ECONNECTION" })

/** A reply after which nothing can go on. */
export const replyError = (code: string, response: string): DriverError =>
  driverError("unexpected reply", {
    code,
    response,
    ...(Reply.isReadable(response) ? { responseCode: Reply.codeOf(response) } : {})
  })

export const unsafeMake = (target: Target, socket: net.Socket): Session => {
  const loopback = isLoopback(socket.remoteAddress)
  let ended = socket.destroyed ? closed() : undefined
  let pending: ((error: DriverError) => void) | undefined
  let listener: Listener | undefined
  const end = (error: DriverError) => {
    ended ??= error
    pending?.(ended)
  }
  const cut = (error: DriverError) => {
    end(error)
    smtp.close()
  }
  /** Whether a reply leaves anything to go on with. */
  const check = (reply: string): boolean => {
    if (!Reply.isReadable(reply)) cut(replyError("EPROTOCOL", reply))
    else if (Reply.codeOf(reply) === 421) cut(replyError("ECONNECTION", reply))
    return ended === undefined
  }
  // The driver reads replies by their first digit.
  const smtp = wrap(target, socket, loopback, (reply) => {
    // The rest of a reply that the connection ended in the middle of is none.
    if (smtp._socket && !smtp._socket.destroyed) check(reply)
  })
  smtp.on("error", end)
  smtp.on("end", () => end(closed()))
  const read = (wire: net.Socket) => {
    const reader = new Reply.Reader()
    wire.removeAllListeners("data")
    wire.on("data", (octets) => {
      for (const reply of reader.read(octets)) {
        if (ended !== undefined || !check(reply)) return
        if (pending === undefined) return cut(replyError("EPROTOCOL", reply))
        listener?.reply(reply)
      }
      if (pending !== undefined && ended === undefined) listener?.turn(reader.hasBegun)
    })
  }
  const begin = <A, B, E>(
    start: Start<A>,
    { onFailure, onSuccess }: End<A, B, E>,
    resume: (end: Effect.Effect<B, E>) => void
  ) => {
    const fail = (error: DriverError) => {
      pending = undefined
      resume(onFailure(error))
    }
    if (ended !== undefined) return fail(ended)
    pending = fail
    start((error, value) => {
      if (error) return fail(error)
      pending = undefined
      resume(onSuccess(value))
    })
  }
  const asItIs = { onSuccess: Effect.succeed, onFailure: Effect.fail }
  return {
    smtp,
    loopback,
    isAlive: () => ended === undefined,
    listen: (start) => {
      const wire = smtp._socket
      if (ended !== undefined || !wire) return false
      if (listener === undefined) read(wire)
      listener = start(wire)
      return true
    },
    cut,
    exchange: <A>(start: Start<A>) =>
      Effect.async<A, DriverError>((resume) => {
        begin<A, A, DriverError>(start, asItIs, resume)
        return Effect.sync(() => smtp.close())
      }),
    operate: <A, B, E>(start: Start<A>, end: End<A, B, E>) => Effect.async<B, E>((resume) => begin(start, end, resume))
  }
}
