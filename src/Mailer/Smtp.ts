/**
 * The mailer over SMTP: each mail over a connection of its own while it is sent, which is kept for the next one.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { EncKey } from "../EdumfaConfig/EncKey.ts"
import { type Delivery, type Mail, Mailer, MailerError, type Refusal, type SendOptions } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import * as StopSignal from "../StopSignal.ts"
import { type Accepted, accept } from "./Acceptance.ts"
import * as Connection from "./Connection.ts"
import * as Connections from "./Connections.ts"
import { toMailerError, toRefusal } from "./classify.ts"
import * as EhloName from "./EhloName.ts"
import { type Credentials, permit } from "./login.ts"
import * as Message from "./Message.ts"
import * as Mime from "./Mime.ts"
import * as Progress from "./Progress.ts"
import { key, type ServerOptions } from "./ServerOptions.ts"
import type { Confidential } from "./wording.ts"

/** How mails are sent. */
export interface Options {
  /** The name this machine gives itself in EHLO. Default: its fully qualified name, as Python's `getfqdn`. */
  readonly ehlo?: string
  /** Options of mail servers by `host:port`. Default: none. */
  readonly servers?: ReadonlyMap<string, ServerOptions>
  /** Options of all other mail servers. Default: none. */
  readonly others?: ServerOptions
  /** Octets a body has at most, text in UTF-8 or MIME; more is refused. Default: 10 MiB. */
  readonly maxBody?: number
}

/** Replies a mail may wait for before its final dot, all of them as late as they may come; then it is given up. */
const maxReplies = 12

/** What a reply must not repeat into a log. */
const confidentialOf = ({ letter }: Accepted, credentials: Credentials | undefined): Confidential => ({
  subject: letter.subject,
  body: typeof letter.body === "string" ? letter.body : Mime.textOf(letter.body),
  words: [
    ...letter.to.flatMap(({ address }) => [address, address.slice(0, address.lastIndexOf("@"))]),
    ...(credentials === undefined ? [] : [Redacted.value(credentials.password)])
  ]
})

/** Hands a message over and tells the recipients apart. */
const transmit = (
  connection: Connection.Connection,
  { letter, recipients }: Accepted,
  message: Buffer,
  progress: Progress.Progress,
  confidential: Confidential
): Effect.Effect<Delivery, MailerError | Connection.SmtpFault> => {
  const hasUtf8 = connection.extensions.has("SMTPUTF8")
  const usable = letter.to.filter((mailbox) => hasUtf8 || !mailbox.smtpUtf8)
  const sourcesOf = (address: string) => recipients.sources.get(address) ?? [address]
  const unusable = letter.to
    .filter((mailbox) => !usable.includes(mailbox))
    .flatMap(({ address }) => sourcesOf(address))
    .map(
      (recipient): Refusal => ({ recipient, verdict: "Permanent", reason: "the mail server does not offer SMTPUTF8" })
    )
  const refusedHere = [...recipients.refused, ...unusable]
  const deliver = (accepted: ReadonlyArray<string>, errors: ReadonlyArray<Connection.DriverError>): Delivery => ({
    accepted: accepted.flatMap(sourcesOf),
    refused: [
      ...refusedHere,
      ...errors.flatMap((error) =>
        sourcesOf(error.recipient ?? "").map((recipient) => toRefusal(recipient, error, confidential))
      )
    ]
  })
  if (usable.length === 0) return Effect.succeed(deliver([], []))
  const from = Option.getOrUndefined(letter.from)
  if (from?.smtpUtf8 && !hasUtf8) {
    const detail = "sender: the mail server does not offer SMTPUTF8"
    return Effect.fail(new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail }))
  }
  const envelope = {
    from: from === undefined ? (false as const) : { address: from.address },
    to: usable.map(({ address }) => ({ address })),
    size: message.length,
    use8BitMime: hasUtf8
  }
  return connection.send(envelope, message, progress).pipe(
    Effect.filterOrFail(
      () => progress.stage === "Dot",
      () => new MailerError({ reason: "Protocol", verdict: "Unknown", detail: "a reply before the end of the message" })
    ),
    Effect.map((info) => deliver(info.accepted, info.rejectedErrors ?? [])),
    Effect.catchTag("SmtpFault", (fault) => {
      const errors = fault.error.rejectedErrors
      return errors === undefined ? Effect.fail(fault) : Effect.succeed(deliver([], errors))
    })
  )
}

/**
 * Waits until the mail has to be given up, and says why: the attempt is stopped or takes too long. After the final dot
 * neither counts, except where even the reply takes too long.
 */
const watch = (
  server: SmtpServer,
  progress: Progress.Progress,
  stop: StopSignal.StopSignal
): Effect.Effect<MailerError> => {
  const limit = maxReplies * server.timeout
  const stopped = Effect.flatMap(StopSignal.wait(stop), (why) =>
    Progress.abandon(progress)
      ? Effect.succeed(
          new MailerError({ reason: "Stopped", verdict: "Transient", detail: `stopped before the final dot: ${why}` })
        )
      : Effect.never
  )
  const overdue = Effect.gen(function* () {
    yield* Effect.sleep(limit)
    if (Progress.abandon(progress)) {
      const detail = `the mail server took more than ${limit} ms`
      return new MailerError({ reason: "Timeout", verdict: "Transient", detail })
    }
    // Each silence after the dot has its own limit; this one is for a server that trickles.
    yield* Effect.sleep(2 * Connection.dotTimeout(server.timeout))
    return new MailerError({ reason: "Timeout", verdict: "Unknown", detail: "after the message: no complete reply" })
  })
  return Effect.raceFirst(stopped, overdue)
}

/**
 * Does `work` until it ends or `watcher` does. Both are daemons: a fiber that is interrupted interrupts its children,
 * even where it is itself uninterruptible.
 */
const doUntil = <A>(
  work: Effect.Effect<A, MailerError>,
  watcher: Effect.Effect<MailerError>
): Effect.Effect<A, MailerError> =>
  Effect.gen(function* () {
    const working = yield* work.pipe(
      // Its failure is told where it is awaited.
      Effect.withUnhandledErrorLogLevel(Option.none()),
      Effect.interruptible,
      Effect.forkDaemon
    )
    const watching = yield* watcher.pipe(
      Effect.zipLeft(Effect.suspend(() => Fiber.interrupt(working))),
      Effect.interruptible,
      Effect.forkDaemon
    )
    const exit = yield* Fiber.await(working)
    if (Exit.isInterrupted(exit)) return yield* Effect.flatMap(Fiber.join(watching), Effect.fail)
    yield* Fiber.interrupt(watching)
    return yield* exit
  })

/** Makes a mailer. */
export const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const encKey = yield* EncKey
    const connections = yield* Connections.make
    const ehloName = options.ehlo === undefined ? yield* Effect.cached(EhloName.find) : Effect.succeed(options.ehlo)

    const credentialsOf = (server: SmtpServer): Effect.Effect<Credentials | undefined, MailerError> => {
      const { password, username } = server
      if (username === undefined) return Effect.succeed(undefined)
      const fail = (detail: string, cause?: unknown) =>
        new MailerError({ reason: "Password", verdict: "Configuration", detail, cause })
      if (password === undefined) return Effect.fail(fail("a user name is set without a password"))
      return encKey.decrypt(password).pipe(
        Effect.map((clear) => ({ username, password: clear })),
        Effect.mapError((cause) => fail(cause.message, cause))
      )
    }

    const send = (server: SmtpServer, mail: Mail, { date, id, stop }: SendOptions) =>
      Effect.gen(function* () {
        const accepted = yield* accept(mail, server, options.maxBody)
        const serverOptions = options.servers?.get(key(server)) ?? options.others ?? {}
        yield* permit(server, serverOptions)
        const credentials = yield* credentialsOf(server)
        const ehlo = yield* ehloName
        const message = yield* Message.build(accepted.letter, { id, date, ehlo })
        const progress = Progress.unsafeMake()
        const confidential = confidentialOf(accepted, credentials)
        const work = connections
          .use(
            { server, options: serverOptions, credentials, ehlo },
            (connection) => {
              progress.stage = "Envelope"
              return transmit(connection, accepted, message, progress, confidential)
            },
            () => progress.stage === "Envelope"
          )
          .pipe(Effect.catchTag("SmtpFault", (fault) => toMailerError(fault, progress.stage, confidential)))
        return yield* doUntil(work, watch(server, progress, stop))
      }).pipe(Effect.uninterruptible)

    return Mailer.of({ send })
  })

/** The mailer with its defaults. It opens no connection before its first mail. */
export const layer: Layer.Layer<Mailer, never, EncKey> = Layer.scoped(Mailer, make())

/** The mailer with options. */
export const layerOptions = (options: Options): Layer.Layer<Mailer, never, EncKey> =>
  Layer.scoped(Mailer, make(options))
