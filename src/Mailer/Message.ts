/**
 * A mail as the bytes that follow DATA: the same for every attempt at it.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import MailComposer from "nodemailer/lib/mail-composer"
import { MailerError } from "../Mailer.ts"
import type { Mailbox } from "./Mailbox.ts"
import * as Mime from "./Mime.ts"

/** A mail whose parts were accepted. */
export interface Letter {
  readonly from: Option.Option<Mailbox>
  readonly to: ReadonlyArray<Mailbox>
  readonly replyTo: ReadonlyArray<Mailbox>
  /** One line. */
  readonly subject: string
  readonly body: string | Mime.Mime
  /** What a text is. */
  readonly mimetype: "plain" | "html"
}

/** What makes the bytes of a letter repeatable. */
export interface Stamp {
  /** Identifies the mail. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly date: number
  /** The name this machine gives itself. */
  readonly ehlo: string
}

const header = (mailbox: Mailbox) => ({ name: mailbox.phrase, address: mailbox.address })

/**
 * The mailboxes of To and Reply-To. A header in UTF-8 is only for servers with SMTPUTF8 (RFC 6532), and the bytes are the
 * same for every server: so To leaves out what is not ASCII, and Reply-To is left out as a whole, unless the mail cannot
 * go anywhere else.
 */
const headersOf = ({ from, replyTo, to }: Letter) => {
  const isUtf8 = (mailbox: Mailbox) => mailbox.smtpUtf8
  if (Option.exists(from, isUtf8) || to.every(isUtf8)) return { to, replyTo }
  return { to: to.filter((mailbox) => !mailbox.smtpUtf8), replyTo: replyTo.some(isUtf8) ? [] : replyTo }
}

/** The id as the left side of a Message-ID (RFC 5322 dot-atom); one that cannot stand there is hashed. */
const messageIdLeft = (id: string): string =>
  /^[a-z0-9_-]{1,128}$/i.test(id) ? id : createHash("sha256").update(id).digest("hex")

/**
 * Builds the message with the headers that eduMFA sets, a Message-ID and a Date. Mailboxes are handed over as objects:
 * nodemailer parses no string as an address, a path or a URL.
 */
export const build = (letter: Letter, stamp: Stamp): Effect.Effect<Buffer, MailerError> =>
  Effect.tryPromise({
    try: async () => {
      const { body } = letter
      const left = messageIdLeft(stamp.id)
      const domain = Option.match(letter.from, { onNone: () => "", onSome: (from) => from.domain })
      const from = Option.match(letter.from, {
        onNone: () => ({ name: "", address: `edumfa@${stamp.ehlo}` }),
        onSome: header
      })
      const { replyTo, to } = headersOf(letter)
      const message = await new MailComposer({
        from,
        to: to.map(header),
        replyTo: replyTo.map(header),
        subject: letter.subject,
        messageId: `<${left}@${domain === "" ? stamp.ehlo : domain}>`,
        date: new Date(stamp.date),
        headers: { Precedence: "bulk", "Auto-Submitted": "auto-generated" },
        alternatives: [
          { contentType: `text/${letter.mimetype}; charset=utf-8`, content: typeof body === "string" ? body : "" }
        ],
        baseBoundary: left,
        newline: "windows",
        disableFileAccess: true,
        disableUrlAccess: true
      })
        .compile()
        .build()
      if (typeof body === "string") return message
      return Buffer.from(Either.getOrThrow(Mime.graft(message.toString("latin1"), body)), "latin1")
    },
    catch: () => new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail: "the message cannot be built" })
  })
