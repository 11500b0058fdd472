/**
 * Where answers go. A Reply-To that cannot be read never holds up a mail: the header is left out.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Mailbox from "./Mailbox.ts"
import * as Recipients from "./Recipients.ts"

/**
 * Reads a list of mailboxes; without one the answer goes to the sender. Left: something in it is no mailbox, so none of
 * it is used.
 */
export const parse = (
  replyTo: string | ReadonlyArray<string> | undefined,
  sender: Option.Option<Mailbox.Mailbox>
): Either.Either<ReadonlyArray<Mailbox.Mailbox>, Mailbox.MailboxFault> => {
  const mailboxes: Array<Mailbox.Mailbox> = []
  if (replyTo !== undefined && !Recipients.isReadable(replyTo)) return Either.left("too long")
  for (const text of replyTo === undefined ? [] : typeof replyTo === "string" ? [replyTo] : replyTo) {
    const entries = Mailbox.parseList(text)
    if (Either.isLeft(entries)) return Either.left(entries.left)
    for (const { mailbox } of entries.right) {
      if (Either.isLeft(mailbox)) return Either.left(mailbox.left)
      mailboxes.push(mailbox.right)
    }
  }
  return Either.right(mailboxes.length > 0 ? mailboxes : Option.toArray(sender))
}
