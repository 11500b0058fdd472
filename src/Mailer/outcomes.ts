/**
 * What becomes of a mail that was not delivered, as a table: the first row that fits decides. The README shows it.
 */
import type { MailerReason, MailerVerdict } from "../Mailer.ts"

/** Where a mail had come. `StartTls` ends in the handshake; `Dot` is all after the message. */
export type Place = "Connect" | "StartTls" | "Login" | "Envelope" | "Recipient" | "Body" | "Dot"

/** What came instead of a reply that can be read. */
type Symptom =
  /** Something that is no reply, or has no end. */
  | "Unreadable"
  | "Silence"
  | "Ended"
  /** The certificate or the handshake is not accepted. */
  | "NoTls"
  /** None offered, or gone through without one. */
  | "NoLogin"
  /** More than the server announced to take: found by us before the mail begins (RFC 1870 6.1). */
  | "TooLarge"

/** A code, in which `y` and `z` stand for any digit; or what came instead. */
export type Sign = "421" | "503" | "530" | "552" | "2yz" | "3yz" | "4yz" | "5yz" | Symptom

export interface Row {
  /** Absent: everywhere. */
  readonly at?: ReadonlyArray<Place>
  readonly signs: ReadonlyArray<Sign>
  readonly reason: MailerReason
  readonly verdict: Exclude<MailerVerdict, "Postponed">
  /** Where that is written. */
  readonly source: string
}

/** RFC 5321 3.8: a connection that ends before the message does counts as a 451. */
export const otherwise: Row = {
  signs: ["Ended", "NoTls"],
  reason: "ConnectionLost",
  verdict: "Transient",
  source: "RFC 5321 3.8"
}

export const rows: ReadonlyArray<Row> = [
  { signs: ["TooLarge"], reason: "Refused", verdict: "Permanent", source: "RFC 1870 6.1" },
  { signs: ["NoLogin"], reason: "Authentication", verdict: "Configuration", source: "RFC 4954 4" },
  { at: ["Connect", "StartTls"], signs: ["NoTls"], reason: "Tls", verdict: "Configuration", source: "RFC 3207 4.1" },
  // The server has answered, so it does not have the mail, whatever had been sent.
  { signs: ["421"], reason: "ConnectionLost", verdict: "Transient", source: "RFC 5321 3.8" },
  { at: ["StartTls"], signs: ["4yz"], reason: "Tls", verdict: "Transient", source: "RFC 3207 4" },
  { at: ["StartTls"], signs: ["5yz"], reason: "Tls", verdict: "Configuration", source: "RFC 3207 4" },
  // A host that does no mail now says nothing about the mail.
  { at: ["Connect"], signs: ["4yz", "5yz"], reason: "Protocol", verdict: "Transient", source: "RFC 5321 3.1" },
  { at: ["Login"], signs: ["503", "4yz"], reason: "Authentication", verdict: "Transient", source: "RFC 4954 6" },
  { at: ["Login"], signs: ["5yz"], reason: "Authentication", verdict: "Configuration", source: "RFC 4954 6" },
  // The login is missing, which no recipient can help.
  { at: ["Recipient"], signs: ["530"], reason: "Refused", verdict: "Transient", source: "RFC 4954 6" },
  { signs: ["530"], reason: "Authentication", verdict: "Configuration", source: "RFC 4954 6" },
  // Too many recipients at once: the others come with the next attempt.
  { at: ["Recipient"], signs: ["552"], reason: "Refused", verdict: "Transient", source: "RFC 5321 4.5.3.1.10" },
  // About the order of commands on this connection.
  { signs: ["503"], reason: "Refused", verdict: "Transient", source: "RFC 5321 4.3.2" },
  { signs: ["4yz"], reason: "Refused", verdict: "Transient", source: "RFC 5321 4.2.1" },
  { signs: ["5yz"], reason: "Refused", verdict: "Permanent", source: "RFC 5321 4.2.1" },
  // From here on nothing was answered that means anything: after the message nobody knows.
  { at: ["Dot"], signs: ["2yz", "3yz", "Unreadable"], reason: "Protocol", verdict: "Unknown", source: "RFC 5321 4.2" },
  { at: ["Dot"], signs: ["Silence"], reason: "Timeout", verdict: "Unknown", source: "RFC 5321 4.5.3.2.6" },
  { at: ["Dot"], signs: ["Ended", "NoTls"], reason: "ConnectionLost", verdict: "Unknown", source: "RFC 1047" },
  { signs: ["2yz", "3yz", "Unreadable"], reason: "Protocol", verdict: "Transient", source: "RFC 5321 4.2" },
  { signs: ["Silence"], reason: "Timeout", verdict: "Transient", source: "RFC 5321 4.5.3.2" },
  { at: ["Connect", "StartTls"], signs: ["Ended"], reason: "Connect", verdict: "Transient", source: "RFC 5321 3.8" },
  otherwise
]
