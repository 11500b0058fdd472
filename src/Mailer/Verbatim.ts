/**
 * A mail of which nothing has to be encoded, quoted or folded, as most mails of codes are: its octets are those that
 * nodemailer makes of it, without the searches for what is not there.
 */
import type { Mailbox } from "./Mailbox.ts"

/** A message in parts. */
export interface Parts {
  readonly from: Pick<Mailbox, "address" | "phrase">
  readonly to: ReadonlyArray<Mailbox>
  readonly replyTo: ReadonlyArray<Mailbox>
  readonly subject: string
  /** With its angle brackets. */
  readonly messageId: string
  /** Milliseconds since the epoch. */
  readonly date: number
  readonly mimetype: "plain" | "html"
  readonly text: string
}

/** Characters of a text that is looked at in one go; a longer one is encoded in slices. */
const maxText = 64 * 1024

/** nodemailer folds a header that is as long. */
const foldFrom = 76

const plainAddress = /^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@[a-z0-9-]+(?:\.[a-z0-9-]+)*$/

/** Words that stand without quotes. */
const plainPhrase = /^(?:\w+(?: \w+)*)?$/

/** ASCII without quotes, which nodemailer encodes, what an encoded word begins with, and blanks that might be folded away. */
const plainSubject = /^[!#-<>-~]+(?: [!#-<>-~]+)*$/

/** Lines that need no encoding, by RFC 5322 2.1.1 and by nodemailer's measure. */
const plainText = /^(?:[\t -~]{0,76}(?:\r\n|$))*$/

const mailbox = ({ address, phrase }: Pick<Mailbox, "address" | "phrase">): string | undefined => {
  if (!plainAddress.test(address) || !plainPhrase.test(phrase)) return undefined
  return phrase === "" ? address : `${phrase} <${address}>`
}

const isShort = (line: string): boolean => line.length < foldFrom

/** The message; undefined: something in it has to be encoded. */
export const message = (parts: Parts): string | undefined => {
  const { date, messageId, mimetype, subject } = parts
  const [to, ...others] = parts.to
  if (to === undefined || others.length > 0 || parts.text.length > maxText || parts.replyTo.length > 1) return undefined
  const [answer] = parts.replyTo
  const from = mailbox(parts.from)
  const recipient = mailbox(to)
  const replyTo = answer === undefined ? "" : mailbox(answer)
  if (from === undefined || recipient === undefined || replyTo === undefined || !plainSubject.test(subject)) {
    return undefined
  }
  const text = parts.text.includes("\r") ? parts.text.replace(/\r\n?/g, "\n") : parts.text
  const body = text.replaceAll("\n", "\r\n")
  // Of a text of blanks nodemailer says nothing.
  if (body.trim() === "" || !plainText.test(body)) return undefined
  const headers = [
    "Precedence: bulk",
    "Auto-Submitted: auto-generated",
    `From: ${from}`,
    `To: ${recipient}`,
    ...(replyTo === "" ? [] : [`Reply-To: ${replyTo}`]),
    `Subject: ${subject}`,
    `Message-ID: ${messageId}`,
    `Date: ${new Date(date).toUTCString().replace("GMT", "+0000")}`,
    "Content-Transfer-Encoding: 7bit",
    "MIME-Version: 1.0",
    `Content-Type: text/${mimetype}; charset=utf-8`
  ]
  if (!headers.every(isShort)) return undefined
  return `${headers.join("\r\n")}\r\n\r\n${body}${body.endsWith("\r\n") ? "" : "\r\n"}`
}
