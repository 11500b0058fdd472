/**
 * The job that mails: `smtpserver.send_email` of eduMFA and privacyIDEA; and `sendEmail`, which an MFA server calls.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as MimeTree from "./Huey/MimeTree.ts"
import * as Job from "./Job.ts"
import * as JobId from "./JobId.ts"
import { type EnqueueError, type EnqueueOptions, JobQueue } from "./JobQueue.ts"
import * as Body from "./Mailer/Body.ts"
import * as Recipients from "./Mailer/Recipients.ts"
import { type Delivery, type Mail, Mailer, MailerError, type Refusal } from "./Mailer.ts"
import { maskMailbox } from "./QueueLogger/redact.ts"
import * as MaxAges from "./SendEmail/MaxAges.ts"
import * as SmtpServer from "./SmtpServer.ts"
import * as StopSignal from "./StopSignal.ts"

/** What Python passes as a recipient: a string, None, or lists of them, nested where a realm has several admins. */
type Nested = string | null | ReadonlyArray<Nested>

const Nested: Schema.Schema<Nested> = Schema.Union(
  Schema.String,
  Schema.Null,
  Schema.Array(Schema.suspend((): Schema.Schema<Nested> => Nested))
)

const MimeTreeFromSelf = Schema.declare(MimeTree.isMimeTree, { identifier: "MimeTree" })

/** The arguments on the wire, `(config, recipient, subject, body, sender=None, reply_to=None, mimetype='plain')`. */
const Arguments = Schema.Struct({
  config: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  recipient: Nested,
  subject: Schema.NullOr(Schema.String),
  body: Schema.NullOr(Schema.Union(Schema.String, Schema.Uint8ArrayFromSelf, MimeTreeFromSelf)),
  sender: Schema.optional(Schema.NullOr(Schema.String)),
  reply_to: Schema.optional(Nested),
  mimetype: Schema.optional(Schema.NullOr(Schema.String))
})

type Arguments = typeof Arguments.Type

/** The schema lets nothing through that cannot be flattened. */
const flat = (recipients: Nested): ReadonlyArray<string> => Option.getOrElse(Recipients.flatten(recipients), () => [])

const permanent = (reason: string, cause: unknown) => new Job.JobFailure({ verdict: "Permanent", reason, cause })

const mimetypeOf = (text: string | null | undefined): Either.Either<"plain" | "html", Job.JobFailure> =>
  Either.fromOption(Body.parseMimetype(text), () => permanent("mimetype is neither plain nor html", undefined))

const textOf = (body: string | Uint8Array | null): Either.Either<string, Job.JobFailure> =>
  body === null || typeof body === "string"
    ? Either.right(body ?? "")
    : Either.try({
        try: () => new TextDecoder("utf-8", { fatal: true }).decode(body),
        catch: (cause) => permanent("body is not UTF-8", cause)
      })

/** The body, and what it is: of a MIME tree that is its own affair, and the argument means nothing. */
const contentOf = (
  { body, mimetype }: Arguments,
  maxBody: number
): Either.Either<Pick<Mail, "body" | "mimetype">, Job.JobFailure> => {
  if (MimeTree.isMimeTree(body)) {
    return Either.mapBoth(MimeTree.toBytes(body, maxBody), {
      onLeft: (fault) =>
        permanent(fault === "size" ? `body: more than ${maxBody} octets` : `body: MIME tree: ${fault}`, fault),
      onRight: (mime) => ({ body: { mime } })
    })
  }
  return Either.flatMap(textOf(body), (text) =>
    Either.map(mimetypeOf(mimetype), (type) => ({ body: text, mimetype: type }))
  )
}

const toMail = (args: Arguments, maxBody: number): Either.Either<Mail, Job.JobFailure> =>
  Either.map(contentOf(args, maxBody), (content) => {
    const replyTo = flat(args.reply_to ?? null)
    return {
      recipient: flat(args.recipient),
      subject: args.subject ?? "",
      ...content,
      ...(args.sender == null ? {} : { sender: args.sender }),
      ...(replyTo.length === 0 ? {} : { replyTo })
    }
  })

const toArguments = (server: SmtpServer.SmtpServer, mail: Mail & { readonly body: string }): Arguments => ({
  config: { ...SmtpServer.toRow(server) },
  recipient: mail.recipient,
  subject: mail.subject,
  body: mail.body,
  sender: mail.sender ?? null,
  reply_to: mail.replyTo ?? null,
  mimetype: mail.mimetype ?? "plain"
})

/** The job goes on without them, so that its last line will not speak of them. */
const logRefused = (refused: ReadonlyArray<Refusal>) =>
  Effect.forEach(
    refused,
    ({ recipient, reason }) => Effect.logError(`refused for good: ${maskMailbox(recipient)}: ${reason}`),
    { discard: true }
  )

/** What is left to do: nothing, the recipients refused for now, or, where only refusals for good remain, their end. */
const afterDelivery = Effect.fnUntraced(function* (
  args: Arguments,
  { accepted, refused }: Delivery
): Effect.fn.Return<void, Job.JobFailure<Arguments>> {
  const forGood = refused.filter((refusal) => refusal.verdict === "Permanent")
  const forNow = refused.filter((refusal) => refusal.verdict === "Transient")
  const [left, verdict] = forNow.length > 0 ? ([forNow, "Transient"] as const) : ([forGood, "Permanent"] as const)
  const [first] = left
  if (first === undefined) return
  if (verdict === "Transient") yield* logRefused(forGood)
  const reason =
    left.length === refused.length && accepted.length === 0
      ? first.reason
      : `${accepted.length} accepted, ${forNow.length} refused for now, ${forGood.length} for good: ${first.reason}`
  const remaining = { ...args, recipient: left.map((refusal) => refusal.recipient) }
  return yield* Effect.fail(new Job.JobFailure({ verdict, reason, remaining }))
})

/** The mail failed as a whole, but for the recipients that were refused for good before: the others are left. */
const afterError = Effect.fnUntraced(function* (
  args: Arguments,
  cause: MailerError
): Effect.fn.Return<never, Job.JobFailure<Arguments>> {
  const { message: reason, refused = [], retryIn: delay, verdict } = cause
  const dead = new Set(refused.map(({ recipient }) => recipient))
  const all = Recipients.parse(flat(args.recipient))
  if (verdict === "Permanent" || dead.size === 0 || Either.isLeft(all)) {
    return yield* Effect.fail(new Job.JobFailure({ verdict, reason, cause, delay }))
  }
  yield* logRefused(refused)
  const rest = [...all.right.sources.values()].flat().filter((recipient) => !dead.has(recipient))
  return yield* Effect.fail(
    new Job.JobFailure({ verdict, reason, cause, delay, remaining: { ...args, recipient: rest } })
  )
})

export interface Options {
  /** How old a mail without an expiry may become, by the identifier of its SMTP server. Default: as the worker's policy says. */
  readonly maxAges?: ReadonlyMap<string, Duration.Duration>
  /** Octets that a MIME tree makes at most; the mailer limits every other body. Default: 10 MiB, as there. */
  readonly maxBody?: number
}

/** EDUMFA_QUEUE_WORKER_MAX_AGES. */
export const config: Config.Config<Options> = Config.map(MaxAges.config, (maxAges) => ({ maxAges }))

/** The job with options. Its handler needs a Mailer, which whoever enqueues it does not. */
export const make = ({ maxAges = new Map(), maxBody = Body.defaultMaxOctets }: Options = {}) => {
  const readServer = SmtpServer.makeReader()
  return Job.make({
    name: "edumfa.lib.smtpserver.smtpserver.send_email",
    aliases: ["privacyidea.lib.smtpserver.smtpserver.send_email"],
    params: ["config", "recipient", "subject", "body", "sender", "reply_to", "mimetype"],
    args: Arguments,
    maxAge: ({ config: { identifier } }) => (typeof identifier === "string" ? maxAges.get(identifier) : undefined),
    // The Mailer is told to stop, and answers: before the final dot at once, after it with the server's reply.
    heedsStop: true,
    run: (args, { jobId, firstTakenAt, stop }) => {
      const server = readServer(args.config)
      if (Either.isLeft(server)) {
        const { left: cause } = server
        return Effect.fail(new Job.JobFailure({ verdict: cause.verdict, reason: cause.message, cause }))
      }
      const mail = toMail(args, maxBody)
      if (Either.isLeft(mail)) return Effect.fail(mail.left)
      return Effect.contextWithEffect((context: Context.Context<Mailer>) =>
        Effect.matchEffect(
          Context.get(context, Mailer).send(server.right, mail.right, { id: jobId, date: firstTakenAt, stop }),
          {
            onFailure: (cause) => afterError(args, cause),
            onSuccess: (delivery) => (delivery.refused.length === 0 ? Effect.void : afterDelivery(args, delivery))
          }
        )
      )
    }
  })
}

/** The job with its defaults. */
export const job = make()

/** The SMTP server that a call of this job names; the rest of the call is not looked at. */
export const serverOf = ({
  args: [positional],
  kwargs: { config }
}: Job.Call): Either.Either<SmtpServer.SmtpServer, SmtpServer.InvalidServer> => SmtpServer.fromRow(positional ?? config)

/** What became of a mail: it waits on the queue under this id, or the SMTP server has it. */
export type Sent =
  | { readonly _tag: "Enqueued"; readonly jobId: string }
  | { readonly _tag: "Delivered"; readonly delivery: Delivery }

/**
 * Mails through the queue where the SMTP server's definition says `enqueueJob`, directly otherwise. `expires` says how
 * long the mail is worth sending: give a one-time code its validity. A direct mail that nobody accepted is an error; one
 * that some accepted is delivered, and says who refused.
 */
export const sendEmail = Effect.fn("SendEmail.sendEmail")(function* (
  server: SmtpServer.SmtpServer,
  mail: Mail,
  options: EnqueueOptions = {}
): Effect.fn.Return<Sent, EnqueueError | MailerError, JobQueue | Mailer> {
  const queue = yield* JobQueue
  if (server.enqueueJob) {
    const { body } = mail
    if (typeof body !== "string") {
      const detail = "body: MIME bytes cannot be put on the queue"
      return yield* new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail })
    }
    return { _tag: "Enqueued", jobId: yield* queue.enqueue(job, toArguments(server, { ...mail, body }), options) }
  }
  const mailer = yield* Mailer
  const id = yield* JobId.make
  const date = yield* Clock.currentTimeMillis
  const delivery = yield* mailer.send(server, mail, { id, date, stop: StopSignal.never })
  const [first] = delivery.refused
  if (delivery.accepted.length === 0 && first !== undefined) {
    return yield* new MailerError({ reason: "Refused", verdict: first.verdict, detail: first.reason })
  }
  return { _tag: "Delivered", delivery }
})
