/**
 * Whom a mail comes from: the job's sender, else the SMTP server's, else nobody (the null sender, `MAIL FROM:<>`).
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Mailbox from "./Mailbox.ts"

/** Quotes the phrase of `MFA, Campus <mfa@example.org>`, whose comma would otherwise separate two mailboxes. */
const quotePhrase = (text: string): string => {
  const open = text.indexOf("<")
  if (open !== text.lastIndexOf("<") || text.indexOf(">") !== text.length - 1) return text
  const phrase = text.slice(0, open).trim()
  return !phrase.includes(",") || /["()[\]:;\\]/.test(phrase) ? text : `"${phrase}" ${text.slice(open)}`
}

/** An address and a phrase of any sensible length; more is not even looked at. */
const maxCharacters = 2 * Mailbox.maxAddressOctets

/** Reads the first of the senders that is not empty. None: the null sender. */
export const parse = (
  ...senders: ReadonlyArray<string | undefined>
): Either.Either<Option.Option<Mailbox.Mailbox>, Mailbox.MailboxFault> => {
  for (const sender of senders) {
    const text = sender?.trim() ?? ""
    if (text === "") continue
    if (text.length > maxCharacters) return Either.left("too long")
    return Either.map(Mailbox.parse(quotePhrase(text)), Option.some)
  }
  return Either.right(Option.none())
}
