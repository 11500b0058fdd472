/**
 * huey's SignedSerializer: `pickle:hex`, where hex is HMAC-SHA1 of the pickle under SHA1(salt + secret). It proves who
 * wrote a message and hides nothing.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import * as Redacted from "effect/Redacted"
import { HueyError } from "./HueyError.ts"

const colon = 0x3a
/** Hex digits of SHA-1. */
const digits = 40

/** The secret that producers and workers share; `salt` is huey's default `huey` unless given. */
export interface Signing {
  readonly secret: Redacted.Redacted
  readonly salt?: string
}

/** The key of the HMAC. */
export const key = ({ secret, salt = "huey" }: Signing): Redacted.Redacted<Buffer> =>
  Redacted.make(
    createHash("sha1")
      .update(salt + Redacted.value(secret))
      .digest()
  )

const signature = (pickle: Buffer, key: Redacted.Redacted<Buffer>): Buffer =>
  Buffer.from(createHmac("sha1", Redacted.value(key)).update(pickle).digest("hex"), "latin1")

/** Appends the signature. */
export const sign = (pickle: Buffer, key: Redacted.Redacted<Buffer>): Buffer =>
  Buffer.concat([pickle, Buffer.of(colon), signature(pickle, key)])

const isSigned = (bytes: Buffer): boolean =>
  bytes[bytes.length - digits - 1] === colon && /^[0-9a-f]{40}$/.test(bytes.toString("latin1", bytes.length - digits))

/** The pickle of a message whose signature is right, before a byte of it is read. */
export const verify = (bytes: Buffer, key: Redacted.Redacted<Buffer>): Buffer => {
  if (!isSigned(bytes)) throw new HueyError({ reason: "Signature", detail: "the message is not signed" })
  const pickle = bytes.subarray(0, bytes.length - digits - 1)
  if (!timingSafeEqual(bytes.subarray(bytes.length - digits), signature(pickle, key))) {
    throw new HueyError({ reason: "Signature", detail: "the signature is wrong: another secret or salt, or a forgery" })
  }
  return pickle
}

/** Without a secret a signed message is refused: its writer relies on a check that cannot be made here. */
export const refuseSigned = (bytes: Buffer): void => {
  if (isSigned(bytes)) {
    throw new HueyError({
      reason: "Signature",
      detail: "the message is signed, but no EDUMFA_QUEUE_WORKER_SIGNING_SECRET is set"
    })
  }
}
