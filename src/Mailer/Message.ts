/**
 * A mail as the bytes that follow DATA: the same for every attempt at it.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import MimeNode from "nodemailer/lib/mime-node"
import { MailerError } from "../Mailer.ts"
import * as Encoded from "./Encoded.ts"
import type { Mailbox } from "./Mailbox.ts"
import * as Mime from "./Mime.ts"
import * as Verbatim from "./Verbatim.ts"

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

const header = (mailbox: Pick<Mailbox, "phrase" | "address">) => ({ name: mailbox.phrase, address: mailbox.address })

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

const terminated = (text: string): string => (text === "" || text.endsWith("\r\n") ? text : `${text}\r\n`)

/** nodemailer's choice for a text; `false` is for no text at all. */
const encodingOf = (node: MimeNode): Encoded.Encoding => {
  const encoding = node.getTransferEncoding()
  return encoding === "base64" || encoding === "quoted-printable" ? encoding : "7bit"
}

/** Identifies the mail, with angle brackets. */
const messageIdOf = (letter: Letter, { ehlo, id }: Stamp): string => {
  const domain = Option.match(letter.from, { onNone: () => "", onSome: (from) => from.domain })
  return `<${messageIdLeft(id)}@${domain === "" ? ehlo : domain}>`
}

const fromOf = ({ from }: Letter, { ehlo }: Stamp) =>
  Option.getOrElse(from, () => ({ phrase: "", address: `edumfa@${ehlo}` }))

/** The mail as nodemailer's MIME node. It parses no string as an address, a path or a URL. */
const toNode = (letter: Letter, stamp: Stamp): MimeNode => {
  const { replyTo, to } = headersOf(letter)
  return new MimeNode(`text/${letter.mimetype}; charset=utf-8`, {
    baseBoundary: messageIdLeft(stamp.id),
    disableFileAccess: true,
    disableUrlAccess: true
  })
    .setHeader("Precedence", "bulk")
    .setHeader("Auto-Submitted", "auto-generated")
    .setHeader("From", header(fromOf(letter, stamp)))
    .setHeader("To", to.map(header))
    .setHeader("Reply-To", replyTo.map(header))
    .setHeader("Subject", letter.subject)
    .setHeader("Message-ID", messageIdOf(letter, stamp))
    .setHeader("Date", new Date(stamp.date))
}

const attempt = <A>(build: () => A): Effect.Effect<A, MailerError> =>
  Effect.try({
    try: build,
    catch: () => new MailerError({ reason: "InvalidMail", verdict: "Permanent", detail: "the message cannot be built" })
  })

/**
 * Builds the message with the headers that eduMFA sets, a Message-ID and a Date. Headers are nodemailer's, and so are the
 * encodings; its own way to put them together costs seven streams a mail. Decided where nothing had to be encoded.
 */
export const build = (letter: Letter, stamp: Stamp): Effect.Effect<Buffer, MailerError> => {
  const { body } = letter
  if (typeof body !== "string") {
    return attempt(() => {
      const octets = Buffer.from(`${toNode(letter, stamp).buildHeaders()}\r\n\r\n`).toString("latin1")
      return Buffer.from(Either.getOrThrow(Mime.graft(octets, body)), "latin1")
    })
  }
  const { date } = stamp
  const parts = { ...letter, ...headersOf(letter), text: body, date }
  const plain = Verbatim.message({ ...parts, from: fromOf(letter, stamp), messageId: messageIdOf(letter, stamp) })
  if (plain !== undefined) return Either.right(Buffer.from(plain, "latin1"))
  return Effect.gen(function* () {
    const text = terminated(yield* Encoded.withCrlf(body))
    yield* Encoded.pause(text)
    const [headers, encoding] = yield* attempt(() => {
      const node = toNode(letter, stamp).setContent(text)
      const encoding = encodingOf(node)
      // Looked for once: it is a search of the whole text.
      if (encoding !== "7bit") node.setHeader("Content-Transfer-Encoding", encoding)
      return [node.buildHeaders(), encoding] as const
    })
    yield* Encoded.pause(text)
    const encoded = terminated(yield* Encoded.encode(text, encoding))
    yield* Encoded.pause(encoded)
    return Buffer.from(`${headers}\r\n\r\n${encoded}`)
  })
}
