/**
 * Whom a mail goes to: what a job holds as recipient, flattened, split and sorted into usable mailboxes and refused ones.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { Refusal } from "../Mailer.ts"
import * as Mailbox from "./Mailbox.ts"

/** Recipients of one mail, in the order written, each address once. */
export interface Recipients {
  readonly mailboxes: ReadonlyArray<Mailbox.Mailbox>
  /** For each address the spellings that stood in the mail. */
  readonly sources: ReadonlyMap<string, ReadonlyArray<string>>
  /** Entries that are not acceptable; the others get the mail. */
  readonly refused: ReadonlyArray<Refusal>
}

/** More are refused as a whole: a mail of an MFA server goes to one person or to a few administrators. */
export const maxRecipients = 100

/** All of them as written: {@link maxRecipients} of the longest addresses. More is not even looked at. */
const maxCharacters = maxRecipients * Mailbox.maxAddressOctets

/** Whether a list of mailboxes is short enough to be read. */
export const isReadable = (texts: string | ReadonlyArray<string>): boolean =>
  typeof texts === "string"
    ? texts.length <= maxCharacters
    : texts.length <= maxCharacters && texts.reduce((sum, text) => sum + text.length, 0) <= maxCharacters

/**
 * Flattens what a job may hold as recipient or Reply-To: a string, None, or lists of these in lists. None elements are
 * dropped. None: the value holds something else.
 */
export const flatten = (value: unknown): Option.Option<ReadonlyArray<string>> => {
  const strings: Array<string> = []
  const waiting: Array<unknown> = [value]
  while (waiting.length > 0) {
    const next = waiting.pop()
    if (typeof next === "string") strings.push(next)
    else if (Array.isArray(next)) for (let index = next.length - 1; index >= 0; index--) waiting.push(next[index])
    else if (next !== null && next !== undefined) return Option.none()
  }
  return Option.some(strings)
}

const refusal = (recipient: string, fault: Mailbox.MailboxFault): Refusal => ({
  recipient,
  verdict: "Permanent",
  reason: `not an acceptable address: ${fault}`
})

/** Sorts the recipients of a mail. Left: more than {@link maxRecipients}, or {@link maxCharacters}. */
export const parse = (recipient: string | ReadonlyArray<string>): Either.Either<Recipients, "TooMany"> => {
  const mailboxes: Array<Mailbox.Mailbox> = []
  const sources = new Map<string, Array<string>>()
  const refused: Array<Refusal> = []
  let count = 0
  if (!isReadable(recipient)) return Either.left("TooMany")
  for (const text of typeof recipient === "string" ? [recipient] : recipient) {
    const entries = Mailbox.parseList(text)
    if (Either.isLeft(entries)) {
      count++
      refused.push(refusal(text, entries.left))
      continue
    }
    for (const { mailbox, source } of entries.right) {
      if (++count > maxRecipients) return Either.left("TooMany")
      if (Either.isLeft(mailbox)) {
        refused.push(refusal(source, mailbox.left))
        continue
      }
      const spellings = sources.get(mailbox.right.address)
      if (spellings === undefined) {
        mailboxes.push(mailbox.right)
        sources.set(mailbox.right.address, [source])
      } else {
        spellings.push(source)
      }
    }
  }
  return count > maxRecipients ? Either.left("TooMany") : Either.right({ mailboxes, sources, refused })
}
