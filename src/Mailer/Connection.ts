/**
 * One SMTP connection: opened, secured and greeted; then a login, then mails.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SMTPConnectionSendInfo, SMTPEnvelope } from "nodemailer/lib/smtp-connection"
import * as Progress from "./Progress.ts"
import * as Reply from "./Reply.ts"
import * as Session from "./Session.ts"
import * as Socket from "./Socket.ts"

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
export interface Connection {
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

/** What the driver notes in the envelope that it was given. */
interface Books {
  readonly mailError?: Session.DriverError
  readonly rejectedErrors?: ReadonlyArray<Session.DriverError>
}

/** Whether the server refused in words that leave the connection as it is. */
const isAnswered = ({ rejectedErrors, responseCode }: Session.DriverError): boolean =>
  responseCode !== undefined &&
  [responseCode, ...(rejectedErrors ?? []).map((it) => it.responseCode)].every(
    (code) => code !== undefined && code >= 400 && code !== 421
  )

/** A good-bye is worth no more; milliseconds. */
const goodByeTimeout = 1_000

/** Says QUIT, and waits for the reply (RFC 5321 4.1.1.10) where it holds nobody up. */
const quit = ({ exchange, smtp }: Session.Session): Effect.Effect<void> =>
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
export const open = (target: Session.Target): Effect.Effect<Connection, SmtpFault, Scope.Scope> =>
  Effect.gen(function* () {
    const { begin, cut, isAlive, loopback, smtp, ...session } = yield* Effect.acquireRelease(
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
      cut: () => smtp.close(),
      rest: () => patience(0),
      secure: smtp.secure,
      loopback,
      ...parseEhlo(smtp.lastServerResponse),
      login: (method, user, password) =>
        exchange<void>((done) => {
          smtp.login({ method, user, pass: Redacted.value(password) }, (error) => {
            const refused = Session.driverError("not authenticated", { code: "EAUTH" })
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
            cut(Session.replyError("EPROTOCOL", reply))
            return false
          },
          gather: () => {
            const socket = smtp._socket
            if (!socket) return
            socket.cork()
            setImmediate(() => socket.uncork())
          },
          // Not a limit for silence, which a server that trickles never reaches.
          onDot: () => {
            patience(0)
            deadline = setTimeout(
              () => cut(Session.driverError("no complete reply", { code: "ETIMEDOUT" })),
              dotTimeout
            )
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
          // Where the sender was refused, that is the answer, and recipients were refused for no fault of theirs.
          Effect.mapError(({ error }) =>
            books.mailError === undefined
              ? new SmtpFault({ error, rejected: books.rejectedErrors ?? [] })
              : new SmtpFault({ error: books.mailError })
          ),
          Effect.ensuring(Effect.sync(() => clearTimeout(deadline)))
        )
        return isNotFirst ? Effect.zipRight(reset, transaction) : transaction
      }
    }
  })
