/**
 * Who logs in at an SMTP server, from its definition.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { EncKey } from "../EdumfaConfig/EncKey.ts"
import { MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import type { Credentials } from "./login.ts"

/** The credentials in clear; undefined: nobody logs in. */
export const credentialsOf = (
  { password, username }: SmtpServer,
  encKey: Context.Tag.Service<EncKey>
): Effect.Effect<Credentials | undefined, MailerError> => {
  if (username === undefined) return Effect.succeed(undefined)
  const fail = (detail: string, cause?: unknown) =>
    new MailerError({ reason: "Password", verdict: "Configuration", detail, cause })
  if (password === undefined) return Effect.fail(fail("a user name is set without a password"))
  return encKey.decrypt(password).pipe(
    Effect.map((clear) => ({ username, password: clear })),
    Effect.mapError((cause) => fail(cause.message, cause))
  )
}
