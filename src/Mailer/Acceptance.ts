/**
 * What of a mail is accepted before any connection is made.
 */
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
  /** What the log should say of it. */
  readonly warnings: ReadonlyArray<string>
}

const invalid = (detail: string) => new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail })

const acceptRecipients = (mail: Mail): Either.Either<Recipients.Recipients, MailerError> => {
  const recipients = Recipients.parse(mail.recipient)
  if (Either.isLeft(recipients)) return Either.left(invalid(`more than ${Recipients.maxRecipients} recipients`))
  if (recipients.right.mailboxes.length > 0) return Either.right(recipients.right)
  const detail = ["no recipient", ...recipients.right.refused.map(({ reason }) => reason).slice(0, 1)].join(", ")
  return Either.left(new MailerError({ reason: "NoRecipient", verdict: "Permanent", detail }))
}

/** Reads the parts of a mail by the rules for each. A Reply-To that cannot be read is left out, with a warning. */
export const accept = (
  mail: Mail,
  server: SmtpServer,
  maxBody = Body.defaultMaxOctets
): Either.Either<Accepted, MailerError> => {
  const recipients = acceptRecipients(mail)
  if (Either.isLeft(recipients)) return Either.left(recipients.left)
  const from = Sender.parse(mail.sender, server.sender)
  if (Either.isLeft(from)) return Either.left(invalid(`sender: ${from.left}`))
  const warnings: Array<string> = []
  if (Option.isNone(from.right)) warnings.push("mail without a sender: neither the job nor its SMTP server has one")
  const replyTo = ReplyTo.parse(mail.replyTo, from.right)
  if (Either.isLeft(replyTo)) warnings.push(`Reply-To left out: ${replyTo.left}`)
  const subject = Subject.parse(mail.subject)
  if (Option.isNone(subject)) {
    return Either.left(invalid("subject: a line break is followed by what looks like a header"))
  }
  if (!Body.fits(mail.body, maxBody)) return Either.left(invalid(`body: more than ${maxBody} octets`))
  const body: Either.Either<Letter["body"], Mime.MimeFault> =
    typeof mail.body === "string" ? Either.right(mail.body) : Mime.parse(mail.body.mime)
  if (Either.isLeft(body)) return Either.left(invalid(`body: MIME: ${body.left}`))
  const letter: Letter = {
    from: from.right,
    to: recipients.right.mailboxes,
    replyTo: Either.getOrElse(replyTo, () => []),
    subject: subject.value,
    body: body.right,
    mimetype: mail.mimetype ?? "plain"
  }
  return Either.right({ letter, recipients: recipients.right, warnings })
}
