/**
 * Logs in by the strongest way both sides know, and never sends a password where others can read it.
 */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import { MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import type { Connection, Mechanism, SmtpFault } from "./Connection.ts"
import { setting } from "./ServerOptions.ts"

/** Who logs in. */
export interface Credentials {
  readonly username: string
  /** In clear. */
  readonly password: Redacted.Redacted
}

/** As Python's smtplib: CRAM-MD5 sends no password, so it needs no TLS. */
const preference: ReadonlyArray<Mechanism> = ["CRAM-MD5", "PLAIN", "LOGIN"]

const impossible = (detail: string) =>
  Effect.fail(new MailerError({ reason: "Authentication", verdict: "Configuration", detail: `at login: ${detail}` }))

/** 504 and 534 are about the mechanism; after CRAM-MD5 any refusal may be, since a server needs clear passwords for it. */
const mayTryNext = (mechanism: Mechanism, { error }: SmtpFault) =>
  error.responseCode !== undefined &&
  (mechanism === "CRAM-MD5" ? error.responseCode >= 500 : error.responseCode === 504 || error.responseCode === 534)

/** Authenticates `connection`; `allowPlaintext` also lets the password travel without TLS. */
export const login = (
  connection: Connection,
  server: SmtpServer,
  credentials: Credentials,
  allowPlaintext: boolean
): Effect.Effect<void, MailerError | SmtpFault> => {
  const offered = preference.filter((mechanism) => connection.mechanisms.has(mechanism))
  if (offered.length === 0) {
    return impossible(
      connection.mechanisms.size === 0
        ? "a user name is set, and the mail server offers no AUTH"
        : "the mail server offers none of CRAM-MD5, PLAIN and LOGIN"
    )
  }
  const usable = connection.secure || allowPlaintext ? offered : offered.filter((mechanism) => mechanism === "CRAM-MD5")
  const next = (index: number): Effect.Effect<void, MailerError | SmtpFault> => {
    const mechanism = usable[index]
    if (mechanism === undefined) {
      return impossible(
        "the password is not sent without TLS; set tls for this SMTP server in eduMFA, or write " +
          `${setting(server, "'allow_plaintext_auth': True")} to the configuration file`
      )
    }
    return Effect.catchTag(
      connection.login(mechanism, credentials.username, credentials.password),
      "SmtpFault",
      (fault): Effect.Effect<void, MailerError | SmtpFault> =>
        index + 1 < usable.length && mayTryNext(mechanism, fault) ? next(index + 1) : Effect.fail(fault)
    )
  }
  return next(0)
}
