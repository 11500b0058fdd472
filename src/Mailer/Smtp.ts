/**
 * The mailer over SMTP: each mail over a connection of its own while it is sent, which is kept for the next one.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Decided from "../Decided.ts"
import { EncKey } from "../EdumfaConfig/EncKey.ts"
import { type Delivery, type Mail, Mailer, MailerError, type Refusal, type SendOptions } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import { type Accepted, accept } from "./Acceptance.ts"
import { type BreakerStore, layerMemory } from "./Breaker/BreakerStore.ts"
import { Denials } from "./Breaker/Denials.ts"
import * as Breaker from "./Breaker.ts"
import type * as Connection from "./Connection.ts"
import * as Connections from "./Connections.ts"
import { toMailerError, toRefusal } from "./classify.ts"
import { credentialsOf } from "./credentials.ts"
import type { Destination } from "./Destination.ts"
import * as EhloName from "./EhloName.ts"
import { type Credentials, permit } from "./login.ts"
import * as Message from "./Message.ts"
import * as Mime from "./Mime.ts"
import * as Progress from "./Progress.ts"
import { key, optionsOf, type ServerOptions } from "./ServerOptions.ts"
import type { DriverError } from "./Session.ts"
import * as Watch from "./Watch.ts"
import type { Confidential } from "./wording.ts"

/** How mails are sent. */
export interface Options {
  /** The name this machine gives itself in EHLO. Default: its fully qualified name, as Python's `getfqdn`. */
  readonly ehlo?: string
  /** Options of mail servers by `host:port`. Default: none. */
  readonly servers?: ReadonlyMap<string, ServerOptions>
  /** How mails are kept from servers that do not answer. */
  readonly breaker?: Breaker.Options
  /**
   * Milliseconds from the final dot to the whole of its reply. Default: 60 000, or what the server has for every other
   * reply if that is more. RFC 5321 4.5.3.2.6 gives it ten minutes, for an impatient client has its mail delivered twice;
   * but a code is dead long before that.
   */
  readonly dotTimeout?: number
  /** Options of all other mail servers. Default: none. */
  readonly others?: ServerOptions
  /** Octets a body has at most, text in UTF-8 or MIME; more is refused. Default: 10 MiB. */
  readonly maxBody?: number
}

const defaultDotTimeout = 60_000

/** What a reply must not repeat into a log. */
const confidentialOf = ({ letter }: Accepted, credentials: Credentials | undefined): Confidential => {
  let body: string | undefined
  return {
    subject: letter.subject,
    // Only where a reply is told: to decode a large one takes longer than to send it.
    get body() {
      body ??= typeof letter.body === "string" ? letter.body : Mime.textOf(letter.body)
      return body
    },
    words: [
      ...letter.to.flatMap(({ address }) => [address, address.slice(0, address.lastIndexOf("@"))]),
      ...(credentials === undefined ? [] : [Redacted.value(credentials.password)])
    ]
  }
}

/** Hands a message over and tells the recipients apart. */
const transmit = (
  connection: Connection.Connection,
  { letter, recipients }: Accepted,
  message: Buffer,
  progress: Progress.Progress,
  /** Made only for a reply that may repeat it. */
  confidential: () => Confidential,
  dotTimeout: number
): Effect.Effect<Delivery, MailerError> => {
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
  const refusedOf = (errors: ReadonlyArray<DriverError>) => [
    ...refusedHere,
    ...errors.flatMap((error) =>
      sourcesOf(error.recipient ?? "").map((recipient) => toRefusal(recipient, error, confidential()))
    )
  ]
  if (usable.length === 0) return Effect.succeed({ accepted: [], refused: refusedHere })
  const from = Option.getOrUndefined(letter.from)
  if (from?.smtpUtf8 && !hasUtf8) {
    const detail = "sender: the mail server does not offer SMTPUTF8"
    return Effect.fail(new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail }))
  }
  const envelope = { from: from?.address ?? "", to: usable.map(({ address }) => address), size: message.length }
  return Effect.matchEffect(connection.send(envelope, message, progress, dotTimeout), {
    onSuccess: ({ accepted, refused }) =>
      Effect.succeed({ accepted: accepted.flatMap(sourcesOf), refused: refusedOf(refused) }),
    onFailure: (fault) => {
      const forGood = refusedOf(fault.rejected ?? []).filter(({ verdict }) => verdict === "Permanent")
      return toMailerError(fault, progress.stage, confidential(), forGood)
    }
  })
}

/** Makes a mailer. */
export const make = (options: Options = {}) =>
  Effect.gen(function* () {
    const encKey = yield* EncKey
    const breaker = yield* Breaker.make(options.breaker)
    const connections = yield* Connections.make(breaker)
    const watch = yield* Watch.make
    const denials = new Denials()
    const ehloName = yield* EhloName.make(options.ehlo)

    const handOver = (
      destination: Destination,
      accepted: Accepted,
      { date, id, stop }: SendOptions
    ): Effect.Effect<Delivery, MailerError> => {
      const { credentials, ehlo, server } = destination
      const progress = Progress.unsafeMake()
      const dotTimeout = options.dotTimeout ?? Math.max(defaultDotTimeout, server.timeout)
      const confidential = () => confidentialOf(accepted, credentials)
      const over = (message: Buffer) =>
        connections.use(destination, progress, (connection) =>
          transmit(connection, accepted, message, progress, confidential, dotTimeout)
        )
      let isOverdue = false
      const overdue = () => {
        isOverdue = true
      }
      const guarded = (message: Buffer) =>
        breaker.guard(
          server,
          (begun) => watch.over(over(message), { progress, stop, timeout: server.timeout, begun, overdue }),
          () => isOverdue || progress.stage !== "Connect",
          // The next mail opens one, and asks the breaker.
          (delivery) => (denials.note(key(server), delivery) ? connections.forget(destination) : undefined)
        )
      return Decided.flatMap(Message.build(accepted.letter, { id, date, ehlo }), guarded)
    }

    /** What can be refused here is, before the mail server is asked. */
    const begin = (server: SmtpServer, mail: Mail, given: SendOptions): Effect.Effect<Delivery, MailerError> => {
      const accepted = accept(mail, server, options.maxBody)
      if (Either.isLeft(accepted)) return Effect.fail(accepted.left)
      const serverOptions = optionsOf(server, options)
      const refused = permit(server, serverOptions)
      if (refused !== undefined) return Effect.fail(refused)
      const sent = Decided.flatMap(credentialsOf(server, encKey), (credentials) =>
        Decided.flatMap(ehloName(), (ehlo) =>
          handOver({ server, options: serverOptions, credentials, ehlo }, accepted.right, given)
        )
      )
      const { warnings } = accepted.right
      return warnings.length === 0
        ? sent
        : Effect.zipRight(
            Effect.forEach(warnings, (it) => Effect.logWarning(it)),
            sent
          )
    }

    const send = (server: SmtpServer, mail: Mail, given: SendOptions) =>
      Effect.uninterruptible(Effect.suspend(() => begin(server, mail, given)))

    return Mailer.of({ send })
  })

/** The mailer with options, and with breakers that it shares with others. */
export const layerShared = (options: Options = {}): Layer.Layer<Mailer, never, EncKey | BreakerStore> =>
  Layer.scoped(Mailer, make(options))

/** The mailer with options, and with breakers of its own. */
export const layerOptions = (options: Options): Layer.Layer<Mailer, never, EncKey> =>
  Layer.provide(layerShared(options), layerMemory)

/** The mailer with its defaults. It opens no connection before its first mail. */
export const layer: Layer.Layer<Mailer, never, EncKey> = layerOptions({})
