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
): Either.Either<ReadonlyArray<Mailbox.Mailbox>, Mailbox.MailboxFault> =>
  Either.gen(function* () {
    const mailboxes: Array<Mailbox.Mailbox> = []
    if (replyTo !== undefined && !Recipients.isReadable(replyTo)) return yield* Either.left("too long" as const)
    for (const text of replyTo === undefined ? [] : typeof replyTo === "string" ? [replyTo] : replyTo) {
      for (const entry of yield* Mailbox.parseList(text)) mailboxes.push(yield* entry.mailbox)
    }
    return mailboxes.length > 0 ? mailboxes : Option.toArray(sender)
  })
