/**
 * Who logs in at an SMTP server, from its definition.
 */
import { createHash } from "node:crypto"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import type { EncKey } from "../EdumfaConfig/EncKey.ts"
import { MailerError } from "../Mailer.ts"
import type { SmtpServer } from "../SmtpServer.ts"
import type { Credentials } from "./login.ts"
import { key } from "./ServerOptions.ts"

/** The credentials in clear; undefined: nobody logs in, which is decided at once. */
export const credentialsOf = (
  { password, username }: SmtpServer,
  encKey: Context.Tag.Service<EncKey>
): Effect.Effect<Credentials | undefined, MailerError> => {
  if (username === undefined) return Either.right(undefined)
  const fail = (detail: string, cause?: unknown) =>
    new MailerError({ reason: "Password", verdict: "Configuration", detail, cause })
  if (password === undefined) return Effect.fail(fail("a user name is set without a password"))
  return encKey.decrypt(password).pipe(
    Effect.map((clear) => ({ username, password: clear })),
    Effect.mapError((cause) => fail(cause.message, cause))
  )
}

/**
 * The same for the same user with the same password at the same server, whatever else two definitions say. A fast digest,
 * for a map of this process: it is written nowhere.
 */
export const fingerprint = (server: SmtpServer, { password, username }: Credentials): string =>
  createHash("sha256")
    .update(JSON.stringify([key(server), username, Redacted.value(password)]))
    .digest("base64")
