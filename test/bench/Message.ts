/**
 * The payload as a message of ours.
 */
import * as Either from "effect/Either"
import * as Huey from "../../src/Huey.ts"
import * as SendEmail from "../../src/SendEmail.ts"
import type { Args } from "./Payload.ts"

/** The message of a job with this id; `eta`: not to be done before, milliseconds since the epoch. */
export const encode = (given: Args, id: string, eta?: number): Uint8Array => {
  const { config, recipient, subject, body, sender, reply_to, mimetype } = given
  const call = { args: [config, recipient, subject, body, sender, reply_to, mimetype], kwargs: {} }
  const [name] = SendEmail.job.names
  return Either.getOrThrow(Huey.make().encode(Huey.message({ id, name, call, ...(eta === undefined ? {} : { eta }) })))
}
