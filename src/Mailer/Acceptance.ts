/**
 * What of a mail is accepted before any connection is made.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { type Mail, MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import * as Body from "./Body.ts"
import type { Letter } from "./Message.ts"
import * as Mime from "./Mime.ts"
import * as Recipients from "./Recipients.ts"
import * as ReplyTo from "./ReplyTo.ts"
import * as Sender from "./Sender.ts"
import * as Subject from "./Subject.ts"

/** A mail in parts, and the recipients it was written to. */
export interface Accepted {
  readonly letter: Letter
  readonly recipients: Recipients.Recipients
}

const invalid = (detail: string) => new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail })

const acceptRecipients = (mail: Mail): Either.Either<Recipients.Recipients, MailerError> =>
  Either.flatMap(
    Either.mapLeft(Recipients.parse(mail.recipient), () => invalid(`more than ${Recipients.maxRecipients} recipients`)),
    (recipients) => {
      if (recipients.mailboxes.length > 0) return Either.right(recipients)
      const detail = ["no recipient", ...recipients.refused.map(({ reason }) => reason).slice(0, 1)].join(", ")
      return Either.left(new MailerError({ reason: "NoRecipient", verdict: "Permanent", detail }))
    }
  )

/** Reads the parts of a mail by the rules for each. A Reply-To that cannot be read is left out, with a warning. */
export const accept = (
  mail: Mail,
  server: SmtpServer,
  maxBody = Body.defaultMaxOctets
): Effect.Effect<Accepted, MailerError> =>
  Effect.gen(function* () {
    const recipients = yield* acceptRecipients(mail)
    const from = yield* Either.mapLeft(Sender.parse(mail.sender, server.sender), (fault) => invalid(`sender: ${fault}`))
    if (Option.isNone(from))
      yield* Effect.logWarning("mail without a sender: neither the job nor its SMTP server has one")
    const replyTo = ReplyTo.parse(mail.replyTo, from)
    if (Either.isLeft(replyTo)) yield* Effect.logWarning(`Reply-To left out: ${replyTo.left}`)
    const subject = Subject.parse(mail.subject)
    if (Option.isNone(subject)) return yield* invalid("subject: a line break is followed by what looks like a header")
    if (!Body.fits(mail.body, maxBody)) return yield* invalid(`body: more than ${maxBody} octets`)
    const body =
      typeof mail.body === "string"
        ? mail.body
        : yield* Either.mapLeft(Mime.parse(mail.body.mime), (fault) => invalid(`body: MIME: ${fault}`))
    const letter: Letter = {
      from,
      to: recipients.mailboxes,
      replyTo: Either.getOrElse(replyTo, () => []),
      subject: subject.value,
      body,
      mimetype: mail.mimetype ?? "plain"
    }
    return { letter, recipients }
  })
