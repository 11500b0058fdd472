/**
 * What a failure of the driver means for the mail: decided by how far it had come, then by the reply, then by the error.
 *
 * RFC 5321 4.2.1 (4yz: for now, 5yz: for good), with these exceptions: 421 and 503 are about the connection, so they
 * are for now everywhere (3.8); 552 at RCPT means too many recipients (4.5.3.1.10); a refused greeting or EHLO says
 * nothing about the mail; 530 asks for a login (RFC 4954 6).
 */
import type { MailerReason, MailerVerdict, Refusal } from "../Mailer.ts"
import { MailerError } from "../Mailer.ts"
import type { DriverError, SmtpFault } from "./Connection.ts"
import type { Stage } from "./Progress.ts"
import { type Confidential, redact } from "./wording.ts"

/** How OpenSSL and Node name certificates that are not accepted. */
const certificateCode = /CERT|^UNABLE_TO_|SELF_SIGNED|^HOSTNAME_MISMATCH$|^INVALID_(?:CA|PURPOSE)$/

/** And handshakes that fail; both are the same every time until somebody mends them. */
const handshakeCode = /^ERR_(?:TLS|SSL)_|^EPROTO$/

const systemCode = (error: DriverError) => error.originalCode ?? error.code ?? ""

/** Whether the server's certificate is what was not accepted. */
export const isCertificateFault = (error: DriverError): boolean => certificateCode.test(systemCode(error))

const stageWords: Readonly<Record<Stage, string>> = {
  Connect: "while connecting",
  Login: "at login",
  Envelope: "before the message",
  Body: "while the message was sent",
  Dot: "after the message"
}

interface Meaning {
  readonly reason: MailerReason
  readonly verdict: MailerVerdict
}

const isTransientReply = (code: number) => code < 500 || code === 503

/** The server answered and refused. */
const ofReply = (code: number, stage: Stage, error: DriverError): Meaning => {
  if (code < 400) return { reason: "Protocol", verdict: stage === "Dot" ? "Unknown" : "Transient" }
  if (code === 421) return { reason: "ConnectionLost", verdict: "Transient" }
  if (error.code === "ETLS") return { reason: "Tls", verdict: code < 500 ? "Transient" : "Configuration" }
  if (stage === "Connect") return { reason: "Protocol", verdict: "Transient" }
  if (stage === "Login") {
    return { reason: "Authentication", verdict: isTransientReply(code) ? "Transient" : "Configuration" }
  }
  if (code === 530) return { reason: "Authentication", verdict: "Configuration" }
  return { reason: "Refused", verdict: isTransientReply(code) ? "Transient" : "Permanent" }
}

/** Nothing came that could be read as a reply. */
const ofSilence = (stage: Stage, error: DriverError): Meaning => {
  const verdict = stage === "Dot" ? "Unknown" : "Transient"
  // Without a reply: no login was tried, or it went through and left us without one.
  if (error.code === "EAUTH" && error.response === undefined)
    return { reason: "Authentication", verdict: "Configuration" }
  // Too large for the SIZE that the server announced: told by the driver, before the mail begins.
  if (error.code === "EMESSAGE" && error.command === "MAIL FROM") return { reason: "Refused", verdict: "Permanent" }
  // nodemailer's code for a handshake that could not begin; a connection cut during one has the command CONN.
  const isTls =
    isCertificateFault(error) ||
    handshakeCode.test(systemCode(error)) ||
    (error.code === "ETLS" && error.command !== "CONN")
  if (isTls && stage === "Connect") return { reason: "Tls", verdict: "Configuration" }
  if (error.code === "ETIMEDOUT" || error.originalCode === "ETIMEDOUT") return { reason: "Timeout", verdict }
  if (error.response !== undefined || error.code === "EPROTOCOL") return { reason: "Protocol", verdict }
  return { reason: stage === "Connect" ? "Connect" : "ConnectionLost", verdict }
}

/** The driver's error, unless its message repeats what the server or the job said. */
const publicCause = (error: DriverError): Error => {
  const system = error.originalCode ?? error.code
  return error.response === undefined && (error.code === "ESOCKET" || error.originalCode !== undefined)
    ? error
    : new Error(`SMTP failure ${system ?? "without a code"}`)
}

/** Reply code and enhanced status code (RFC 2034). */
const codes = /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/

/** What of a reply is told: at login no word of it, for there a server may repeat the password in any encoding. */
const wordsOf = (error: DriverError, stage: Stage, confidential: Confidential): string => {
  if (error.response === undefined) {
    return redact([error.originalCode ?? error.code, error.message].filter(Boolean).join(" "), confidential)
  }
  if (stage === "Login") return codes.exec(error.response)?.[0] ?? "no readable reply"
  return redact(error.response, confidential)
}

/** The error of a mail that reached nobody, or nobody knows whom. */
export const toMailerError = (fault: SmtpFault, stage: Stage, confidential: Confidential): MailerError => {
  const { error } = fault
  const code = error.responseCode
  const meaning = code === undefined ? ofSilence(stage, error) : ofReply(code, stage, error)
  return new MailerError({
    ...meaning,
    detail: `${stageWords[stage]}: ${wordsOf(error, stage, confidential)}`,
    cause: publicCause(error)
  })
}

/** A recipient the server refused at RCPT. */
export const toRefusal = (recipient: string, error: DriverError, confidential: Confidential): Refusal => {
  const code = error.responseCode
  return {
    recipient,
    verdict: code === undefined || isTransientReply(code) || code === 552 ? "Transient" : "Permanent",
    ...(code === undefined ? {} : { code }),
    reason: redact(error.response ?? "no readable reply", confidential)
  }
}
