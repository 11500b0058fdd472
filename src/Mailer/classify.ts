/**
 * What a failure of the driver means for the mail: how far the mail had come and what came back, looked up in the table
 * of outcomes.
 */
import { MailerError, type Refusal } from "../Mailer.ts"
import type { SmtpFault } from "./Connection.ts"
import { otherwise, type Place, type Row, rows, type Sign } from "./outcomes.ts"
import type { Stage } from "./Progress.ts"
import type { DriverError } from "./Session.ts"
import * as TlsFault from "./tlsFault.ts"
import { type Confidential, redact } from "./wording.ts"

/** The system's or OpenSSL's where there is one, or else nodemailer's. */
export const systemCode = (error: DriverError) => error.originalCode ?? error.code ?? ""

const stageWords: Readonly<Record<Stage, string>> = {
  Connect: "while connecting",
  Login: "at login",
  Envelope: "before the message",
  Body: "while the message was sent",
  Dot: "after the message"
}

/** What came, as the table of outcomes names it. */
const signOf = (error: DriverError): string => {
  if (error.responseCode !== undefined) return String(error.responseCode)
  // Without a reply: no login was tried, or it went through and left us without one.
  if (error.code === "EAUTH" && error.response === undefined) return "NoLogin"
  if (error.code === "ETOOLARGE") return "TooLarge"
  // nodemailer's code for a handshake that could not begin; a connection cut during one has the command CONN.
  if (TlsFault.isTls(systemCode(error)) || (error.code === "ETLS" && error.command !== "CONN")) return "NoTls"
  if (error.code === "ETIMEDOUT" || error.originalCode === "ETIMEDOUT") return "Silence"
  if (error.response !== undefined || error.code === "EPROTOCOL") return "Unreadable"
  return "Ended"
}

/** Whether a sign of the table stands for this one. */
const standsFor = (sign: Sign, found: string): boolean =>
  sign === found || (/^\d\d\d$/.test(found) && sign.endsWith("yz") && sign[0] === found[0])

const outcomeOf = (place: Place, error: DriverError): Row => {
  const found = signOf(error)
  const fits = ({ at, signs }: Row) => (at?.includes(place) ?? true) && signs.some((sign) => standsFor(sign, found))
  return rows.find(fits) ?? otherwise
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
    const code = systemCode(error)
    if (TlsFault.isTls(code)) return redact(TlsFault.describe(code, error.message), confidential)
    return redact([error.originalCode ?? error.code, error.message].filter(Boolean).join(" "), confidential)
  }
  if (stage === "Login") return codes.exec(error.response)?.[0] ?? "no readable reply"
  // Which mail this connection is for is not known yet: a server may repeat the code of one that it had before.
  const response = stage === "Connect" ? error.response.replaceAll(/\d{4,}/g, "[removed]") : error.response
  return redact(response, confidential)
}

/** The error of a mail that reached nobody, or nobody knows whom; `refused` are the recipients it is not about. */
export const toMailerError = (
  fault: SmtpFault,
  stage: Stage,
  confidential: Confidential,
  refused: ReadonlyArray<Refusal> = []
): MailerError => {
  const { error } = fault
  const place = stage === "Connect" && error.code === "ETLS" ? "StartTls" : stage
  const { reason, verdict } = outcomeOf(place, error)
  return new MailerError({
    reason,
    verdict,
    detail: `${stageWords[stage]}: ${wordsOf(error, stage, confidential)}`,
    cause: publicCause(error),
    ...(refused.length === 0 ? {} : { refused })
  })
}

/** A recipient the server refused at RCPT. */
export const toRefusal = (recipient: string, error: DriverError, confidential: Confidential): Refusal => {
  const code = error.responseCode
  return {
    recipient,
    verdict: outcomeOf("Recipient", error).verdict === "Permanent" ? "Permanent" : "Transient",
    ...(code === undefined ? {} : { code }),
    reason: redact(error.response ?? "no readable reply", confidential)
  }
}
