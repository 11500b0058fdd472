/**
 * One SMTP connection: opened, secured and greeted; then a login, then mails.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as Progress from "./Progress.ts"
import * as Session from "./Session.ts"
import * as Socket from "./Socket.ts"
import { type Envelope, type Offers, type Sent, Transaction } from "./Transaction.ts"

/** The driver failed; what that means depends on how far the mail had come. */
export class SmtpFault extends Data.TaggedError("SmtpFault")<{
  readonly error: Session.DriverError
  /** Recipients that the server had refused before. Absent: none. */
  readonly rejected?: ReadonlyArray<Session.DriverError>
}> {
  override get message() {
    return `SMTP failed: ${this.error.code ?? "no code"}`
  }
}

/** SASL mechanisms we speak. */
export type Mechanism = "CRAM-MD5" | "PLAIN" | "LOGIN"

/** A connection that the server greeted. */
export interface Connection extends Offers {
  /** Whether another mail can be sent: neither side has ended it, and nothing is out of step. */
  readonly isAlive: () => boolean
  /** How many mails it has begun to send. */
  readonly mails: () => number
  /** Ends it without a word; what is under way on it fails. */
  readonly cut: () => void
  /** Nothing is sent for a while: silence is no fault then. */
  readonly rest: () => void
  readonly secure: boolean
  /** The server is on this machine. */
  readonly loopback: boolean
  /** What the server offers after AUTH, upper case. */
  readonly mechanisms: ReadonlySet<string>
  readonly login: (
    mechanism: Mechanism,
    username: string,
    password: Redacted.Redacted
  ) => Effect.Effect<void, SmtpFault>
  /** Not to be interrupted: the final dot may be on its way. */
  readonly send: (
    envelope: Envelope,
    message: Buffer,
    progress: Progress.Progress,
    /** Milliseconds from the final dot to the whole of its reply. */
    dotTimeout: number
  ) => Effect.Effect<Sent, SmtpFault>
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
    mechanisms: new Set(words.flatMap(([name, ...rest]) => (name === "AUTH" ? rest : []))),
    maxSize: Number(words.find(([name]) => name === "SIZE")?.[1] ?? 0) || 0
  }
}

/** Whether the server refused in words that leave the connection as it is. */
const isAnswered = ({ responseCode }: Session.DriverError): boolean =>
  responseCode !== undefined && responseCode >= 400 && responseCode !== 421

/** RFC 1870 6.1: such a mail need not be begun. */
const tooLarge = ({ size }: Envelope, { maxSize }: Offers) =>
  Session.driverError(`the message has ${size} octets, the mail server takes ${maxSize}`, { code: "ETOOLARGE" })

/** A good-bye is worth no more; milliseconds. */
const goodByeTimeout = 1_000

/** Says QUIT, and waits for the reply (RFC 5321 4.1.1.10) where it holds nobody up. */
const quit = ({ exchange, listen, smtp }: Session.Session): Effect.Effect<void> =>
  Effect.sync(() => {
    listen((wire) => {
      wire.write("QUIT\r\n")
      return { reply: () => smtp.close(), turn: () => {} }
    })
  }).pipe(
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
export const open = (target: Session.Target): Effect.Effect<Connection, SmtpFault, Scope.Scope> =>
  Effect.gen(function* () {
    const { cut, isAlive, loopback, smtp, ...session } = yield* Effect.acquireRelease(
      Socket.connect(target).pipe(
        Effect.interruptible,
        Effect.mapBoth({
          onFailure: (error) => new SmtpFault({ error }),
          onSuccess: (socket) => Session.unsafeMake(target, socket)
        })
      ),
      (session, exit) =>
        Exit.isSuccess(exit) && session.isAlive() ? quit(session) : Effect.sync(() => session.smtp.close())
    )
    const exchange = <A>(start: Session.Start<A>) =>
      Effect.mapError(session.exchange(start), (error) => new SmtpFault({ error }))
    yield* exchange<void>((done) => smtp.connect((error) => done(error, undefined)))
    const patience = (millis: number) => {
      if (smtp._socket) smtp._socket.setTimeout(millis)
    }
    let mails = 0
    // What a refused mail leaves behind: a transaction to reset, or replies that nobody can tell apart any more.
    let state: "Clean" | "Unfinished" | "Broken" = "Clean"
    const offers = parseEhlo(smtp.lastServerResponse)
    // What cannot be reset is no place for another mail.
    const reset = exchange<void>((done) => {
      session.listen((wire) => {
        wire.write("RSET\r\n")
        const refused = (reply: string) => (reply.startsWith("2") ? null : Session.replyError("EPROTOCOL", reply))
        return { reply: (reply) => done(refused(reply), undefined), turn: () => {} }
      })
    }).pipe(
      Effect.tapError(() =>
        Effect.sync(() => {
          state = "Broken"
        })
      )
    )
    return {
      isAlive: () => isAlive() && state !== "Broken",
      mails: () => mails,
      cut: () => smtp.close(),
      rest: () => patience(0),
      secure: smtp.secure,
      loopback,
      ...offers,
      login: (method, user, password) =>
        exchange<void>((done) => {
          smtp.login({ method, user, pass: Redacted.value(password) }, (error) => {
            const refused = Session.driverError("not authenticated", { code: "EAUTH" })
            done(error ?? (smtp.authenticated ? null : refused), undefined)
          })
        }),
      send: (envelope, message, progress, dotTimeout) => {
        let deadline: NodeJS.Timeout | undefined
        let transaction: Transaction | undefined
        // Not a limit for silence, which a server that trickles never reaches.
        const onDot = () => {
          patience(0)
          deadline = setTimeout(() => cut(Session.driverError("no complete reply", { code: "ETIMEDOUT" })), dotTimeout)
        }
        if (offers.maxSize > 0 && envelope.size > offers.maxSize) {
          return Effect.fail(new SmtpFault({ error: tooLarge(envelope, offers) }))
        }
        const isNotFirst = state === "Unfinished"
        mails += 1
        patience(target.timeout)
        const begin: Session.Start<Sent> = (done) => {
          state = "Unfinished"
          session.listen((wire) => {
            transaction = new Transaction({ envelope, message, progress, offers, wire, onDot, cut, done })
            return transaction
          })
        }
        const transacted = session.operate<Sent, Sent, SmtpFault>(begin, {
          onSuccess: (sent) => {
            clearTimeout(deadline)
            state = sent.accepted.length > 0 ? "Clean" : "Unfinished"
            return Effect.succeed(sent)
          },
          onFailure: (error) => {
            clearTimeout(deadline)
            // Without a reply, or with the one that says good-bye (RFC 5321 3.8), there is nothing to go on with.
            state = isAnswered(error) ? "Unfinished" : "Broken"
            return Effect.fail(
              transaction?.mailError === undefined
                ? new SmtpFault({ error, rejected: transaction?.refused ?? [] })
                : new SmtpFault({ error: transaction.mailError })
            )
          }
        })
        return isNotFirst ? Effect.zipRight(reset, transacted) : transacted
      }
    }
  })
