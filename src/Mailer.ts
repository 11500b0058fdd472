/**
 * Sends one mail to one SMTP server and says for each recipient how that ended.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { SmtpServer } from "./SmtpServer.ts"
import type { StopSignal } from "./StopSignal.ts"

/** A mail as a caller writes it; strings are parsed by the rules for mailboxes, never by a library. */
export interface Mail {
  /** One string or several; each holds one mailbox or several separated by `,` or `;`. */
  readonly recipient: string | ReadonlyArray<string>
  readonly subject: string
  /** Text, or the bytes of a MIME entity, of whose own headers only those about the body are kept. */
  readonly body: string | { readonly mime: Uint8Array }
  /** What a text is; `plain` unless given. */
  readonly mimetype?: "plain" | "html"
  /** One mailbox; absent: the server's. */
  readonly sender?: string
  /** A list of mailboxes; absent: the sender. */
  readonly replyTo?: string | ReadonlyArray<string>
}

/** What must stay the same over all attempts at one mail, and how an attempt is ended early. */
export interface SendOptions {
  /** Identifies the mail: its Message-ID is made from it. */
  readonly id: string
  /** Milliseconds since the epoch: the Date header. */
  readonly date: number
  readonly stop: StopSignal
}

/** A recipient that the mail server refused. */
export interface Refusal {
  /** As it stood in the mail, so that a remaining mail can be written with it. */
  readonly recipient: string
  /** `Transient`: refused for now (4yz); `Permanent`: for good (5yz). */
  readonly verdict: "Transient" | "Permanent"
  /** Three-digit reply code; absent: refused here, the address is not acceptable. */
  readonly code?: number
  /** The server's words or the rule that was broken; escaped, shortened, free of what the mail holds. */
  readonly reason: string
}

/** How a mail ended that the server took for at least one recipient, or refused recipient by recipient. */
export interface Delivery {
  /** Recipients, as they stood in the mail, that have it now. */
  readonly accepted: ReadonlyArray<string>
  readonly refused: ReadonlyArray<Refusal>
}

/**
 * Why no recipient has the mail. `Transient`: try again; `Permanent`: never will; `Configuration`: nobody's mails will
 * pass until somebody mends the configuration; `Unknown`: the connection ended after the final dot, it may have arrived;
 * `Postponed`: nothing was tried, since the mail server is known not to answer or to refuse the password.
 */
export type MailerVerdict = "Transient" | "Permanent" | "Configuration" | "Unknown" | "Postponed"

export type MailerReason =
  | "InvalidMail"
  | "InvalidServer"
  | "NoRecipient"
  | "Connect"
  | "Protocol"
  | "Tls"
  | "Authentication"
  | "Password"
  | "Refused"
  | "ConnectionLost"
  | "Timeout"
  | "Stopped"
  | "BreakerOpen"

/** A mail that reached nobody, or nobody knows whom. */
export class MailerError extends Data.TaggedError("MailerError")<{
  readonly reason: MailerReason
  readonly verdict: MailerVerdict
  /** One line for an operator: stage, reply code, the server's words; escaped, no address, no part of the mail. */
  readonly detail: string
  /** Where the verdict is `Postponed`: milliseconds after which a try may be worth it. */
  readonly retryIn?: number
  /** Recipients refused for good before that: it is about all others. Absent: none. */
  readonly refused?: ReadonlyArray<Refusal>
  readonly cause?: unknown
}> {
  override get message() {
    return `${this.reason}: ${this.detail}`
  }
}

/** Hands mails to SMTP servers. `send` is uninterruptible; its `stop` ends it before the final dot, never after. */
export class Mailer extends Context.Tag("edumfa-queue/Mailer")<
  Mailer,
  {
    readonly send: (server: SmtpServer, mail: Mail, options: SendOptions) => Effect.Effect<Delivery, MailerError>
  }
>() {}
